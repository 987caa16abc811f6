import { describe, expect, it } from 'vitest';
import { townScenery } from '../../src/simulate/months/scenery.js';
import { createTown } from '../../src/simulate/months/town.js';
import { plants } from '../../src/simulate/plants/index.js';
import { planPlot } from '../../src/simulate/plants/stage.js';
import { muleDefinitions } from './mule-definitions.js';
import { storiesOf } from './story.js';
import { victimDefinitions } from './victim-definitions.js';

const days = 60;
const firstDay = Math.floor(Date.UTC(2026, 6, 1) / 86_400_000);
const scenery = townScenery(createTown({ seed: 13, accounts: 30_000, cast: 0 }), firstDay, days);
const sets = 12;

describe.each(Object.entries({ ...victimDefinitions, ...muleDefinitions }))('the scheme %s', (typology, holds) => {
  it('meets the definition of the catalogue in nearly every playing', () => {
    const plant = plants.find((candidate) => candidate.typology === typology)!;
    const stories = storiesOf(scenery, planPlot({ plants: [plant], sets, days }, scenery));
    const wrong = stories.filter((story) => !holds(story));
    // A few playings are meant to lie at the difficult side.
    expect(stories).toHaveLength(sets);
    expect(wrong.length, `${wrong.length} of ${sets} do not`).toBeLessThanOrEqual(3);
  });
});
