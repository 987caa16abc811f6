import { groupBy } from './group-by.js';

/** What a member says of itself when it joins: the partitions that it works on, and since which generation of the group. */
export interface Claim {
  readonly member: string;
  readonly owned: readonly number[];
  readonly generation: number;
}

/**
 * Who works on which of the partitions 0 to `partitions` - 1: evenly to within one, with as few moves as that takes. A
 * partition that is to move is given to nobody as long as another member claims it: that one closes it, joins again without
 * it, and the next round gives it away. So at no time two members that know of each other have the same partition.
 */
export function assignPartitions(partitions: number, claims: readonly Claim[]): Map<string, number[]> {
  const members = claims.map(({ member }) => member).sort();
  const holders = holdersOf(partitions, claims);
  const kept = keepEvenly(partitions, members, holders);
  const targets = new Map(kept);
  const isKept = new Set([...kept.values()].flat());
  for (let partition = 0; partition < partitions; partition++) {
    if (isKept.has(partition)) continue;
    const poorest = members.reduce((a, b) => (targets.get(b)!.length < targets.get(a)!.length ? b : a));
    targets.set(poorest, [...targets.get(poorest)!, partition]);
  }
  for (const [member, wanted] of targets) {
    targets.set(
      member,
      wanted.filter((partition) => (holders.get(partition) ?? member) === member).sort((a, b) => a - b),
    );
  }
  return targets;
}

/** Who claims a partition; of several the one of the youngest generation, since the others were cut off and do not know it yet. */
function holdersOf(partitions: number, claims: readonly Claim[]): Map<number, string> {
  const holders = new Map<number, Claim>();
  for (const claim of claims) {
    for (const partition of claim.owned) {
      const before = holders.get(partition);
      if (partition < partitions && (!before || claim.generation > before.generation)) holders.set(partition, claim);
    }
  }
  return new Map([...holders].map(([partition, { member }]) => [partition, member]));
}

/** What members may keep of what they hold: their even share; those who hold most get the partitions that are left over. */
function keepEvenly(partitions: number, members: readonly string[], holders: ReadonlyMap<number, string>): Map<string, number[]> {
  const held = groupBy(
    [...holders.keys()].sort((a, b) => a - b),
    (partition) => holders.get(partition)!,
  );
  const share = Math.floor(partitions / members.length);
  let extra = partitions % members.length;
  const byHeld = [...members].sort((a, b) => (held.get(b)?.length ?? 0) - (held.get(a)?.length ?? 0));
  return new Map(
    byHeld.map((member) => {
      const own = held.get(member) ?? [];
      if (own.length <= share) return [member, own];
      const most = extra > 0 ? share + 1 : share;
      if (extra > 0) extra--;
      return [member, own.slice(0, most)];
    }),
  );
}

export function encodeClaim({ owned, generation }: Omit<Claim, 'member'>): Buffer {
  return Buffer.from(JSON.stringify({ owned, generation }));
}

/** The claim of a member; nothing where another program has joined under the same name. */
export function decodeClaim(member: string, userData: Buffer | null): Claim {
  try {
    const { owned, generation } = JSON.parse(String(userData)) as Partial<Claim>;
    if (Array.isArray(owned) && typeof generation === 'number')
      return { member, owned: owned.filter((partition) => Number.isInteger(partition)), generation };
  } catch {
    // As if it claimed nothing.
  }
  return { member, owned: [], generation: -1 };
}
