import { bipartite, cycle, fanIn, fanOut, gatherScatter, randomWalk, scatterGather, stack } from './classic-shapes.js';
import { m01 } from './m01.js';
import { m02 } from './m02.js';
import { m03 } from './m03.js';
import { m04 } from './m04.js';
import { m05 } from './m05.js';
import { m06 } from './m06.js';
import { m07 } from './m07.js';
import { m08 } from './m08.js';
import { m09 } from './m09.js';
import { m10 } from './m10.js';
import { m11 } from './m11.js';
import { m12 } from './m12.js';
import { m13 } from './m13.js';
import { m14 } from './m14.js';
import { m15 } from './m15.js';
import { m16 } from './m16.js';
import { m17 } from './m17.js';
import { m18 } from './m18.js';
import { m19 } from './m19.js';
import { m20 } from './m20.js';
import { m21 } from './m21.js';
import { m22 } from './m22.js';
import { m23 } from './m23.js';
import { m24 } from './m24.js';
import { m25 } from './m25.js';
import { m26 } from './m26.js';
import { m27 } from './m27.js';
import { m28 } from './m28.js';
import { m29 } from './m29.js';
import { m30 } from './m30.js';
import { m31 } from './m31.js';
import { m32 } from './m32.js';
import { m33 } from './m33.js';
import { m34 } from './m34.js';
import { m35 } from './m35.js';
import { m36 } from './m36.js';
import { m37 } from './m37.js';
import { m38 } from './m38.js';
import { m39 } from './m39.js';
import { m40 } from './m40.js';
import { m41 } from './m41.js';
import { m42 } from './m42.js';
import type { Plant } from './stage.js';
import { v01 } from './v01.js';
import { v02 } from './v02.js';
import { v03 } from './v03.js';
import { v04 } from './v04.js';
import { v05 } from './v05.js';
import { v06 } from './v06.js';
import { v07 } from './v07.js';
import { v08 } from './v08.js';
import { v09 } from './v09.js';
import { v10 } from './v10.js';
import { v11 } from './v11.js';
import { v12 } from './v12.js';
import { v13 } from './v13.js';
import { v14 } from './v14.js';
import { v15 } from './v15.js';
import { v16 } from './v16.js';

/** Every scheme there is; a new one is one file and two lines here. */
export const plants: readonly Plant[] = [
  v01,
  v02,
  v03,
  v04,
  v05,
  v06,
  v07,
  v08,
  v09,
  v10,
  v11,
  v12,
  v13,
  v14,
  v15,
  v16,
  m01,
  m02,
  m03,
  m04,
  m05,
  m06,
  m07,
  m08,
  m09,
  m10,
  m11,
  m12,
  m13,
  m14,
  m15,
  m16,
  m17,
  m18,
  m19,
  m20,
  m21,
  m22,
  m23,
  m24,
  m25,
  m26,
  m27,
  m28,
  m29,
  m30,
  m31,
  m32,
  m33,
  m34,
  m35,
  m36,
  m37,
  m38,
  m39,
  m40,
  m41,
  m42,
  fanIn,
  fanOut,
  cycle,
  bipartite,
  stack,
  randomWalk,
  scatterGather,
  gatherScatter,
];

/** What a bank day is planted with where nothing else is asked for. */
export const classicPlants: readonly Plant[] = [v01, v11, v12, m01, m02, m03, m04, m05, m07, m08, m12, m16];
