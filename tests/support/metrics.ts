/** The sum of a counter over its labels, as the running platform at `url` says it now; the warehouse's counts follow later. */
export async function metricTotal(url: string, name: string): Promise<number> {
  return metricsOf(await (await fetch(`${url}/metrics`)).text())(name);
}

/** Sums of counters over their labels, in the text that Prometheus reads. */
export function metricsOf(text: string): (name: string) => number {
  return (name) => {
    const samples = text.matchAll(new RegExp(`^${name}(?:\\{.*\\})? (\\S+)$`, 'gm'));
    return [...samples].reduce((sum, [, value]) => sum + Number(value), 0);
  };
}
