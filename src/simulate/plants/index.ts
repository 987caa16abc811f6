import { m01 } from './m01.js';
import { m02 } from './m02.js';
import { m03 } from './m03.js';
import { m04 } from './m04.js';
import { m05 } from './m05.js';
import { m07 } from './m07.js';
import { m08 } from './m08.js';
import { m12 } from './m12.js';
import { m16 } from './m16.js';
import type { Plant } from './stage.js';
import { v01 } from './v01.js';
import { v11 } from './v11.js';
import { v12 } from './v12.js';

/** Every scheme that a simulated day is planted with where nothing else is asked for. */
export const classicPlants: readonly Plant[] = [v01, v11, v12, m01, m02, m03, m04, m05, m07, m08, m12, m16];
