// Medians of all rounds in one table, and the ratios that count.

/** What is divided by what, and what it may be at most (with relaxed SIMD, without it). */
const RATIOS = [
  { work: 'W0', by: ['torch-1t', 'W0'], goal: [2.5, 2.5] },
  { work: 'W1', by: ['torch-1t', 'W1'], goal: [1.65, 1.9] },
  { work: 'W4', by: ['torch-1t', 'W4'] },
  { work: 'W2', by: ['ort-wasm', 'W2'], goal: [0.6, 0.72] },
  { work: 'W3', by: ['own', 'W2'], goal: [1.05, 1.05] },
  { work: 'RS', by: ['pillow', 'RS'] },
];

export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

export const shown = (ms) => (ms === undefined ? '-' : ms >= 100 ? ms.toFixed(0) : ms.toFixed(ms < 10 ? 2 : 1));

/**
 * `rows`: `{ name, label }`; `results[name][work]`: one answer for each round (`undefined` where it failed). Markdown, so
 * that it can be committed as it is.
 */
export function table(rows, works, results) {
  const medians = (name, work) => (results[name]?.[work] ?? []).filter(Boolean).map((answer) => answer.median);
  const cell = (name, work) => {
    const all = medians(name, work);
    return all.length ? shown(median(all)) : '-';
  };
  const cells = [['ms, median', ...works], ...rows.map(({ name, label }) => [label, ...works.map((work) => cell(name, work))])];
  const widths = cells[0].map((_, column) => Math.max(...cells.map((row) => row[column].length)));
  const line = (row) => `| ${row.map((text, at) => (at ? text.padStart(widths[at]) : text.padEnd(widths[at]))).join(' | ')} |`;
  const rule = `|${widths.map((width, at) => '-'.repeat(width + 1) + (at ? ':' : '-')).join('|')}|`;
  return [line(cells[0]), rule, ...cells.slice(1).map(line)].join('\n');
}

/**
 * A line for each ratio that both sides were measured for: the median of the rounds' ratios, because what was measured
 * within a minute is alike busy, and the smallest and largest of them.
 */
export function ratios(rows, results) {
  const lines = [];
  for (const { name, label } of rows.filter(({ name }) => name.startsWith('heirloom-cpu'))) {
    for (const { work, by, goal } of RATIOS) {
      const [other, same] = by[0] === 'own' ? [name, by[1]] : by;
      const [own, theirs] = [results[name]?.[work] ?? [], results[other]?.[same] ?? []];
      const all = own.flatMap((answer, round) => (answer && theirs[round] ? [answer.median / theirs[round].median] : []));
      if (!all.length) continue;
      const against = other === name ? `its ${same}` : `${rows.find((row) => row.name === other)?.label ?? other}`;
      const range = `${Math.min(...all).toFixed(2)} to ${Math.max(...all).toFixed(2)}`;
      const wanted = goal ? `; at most ${goal[name.endsWith('-plain') ? 1 : 0]} is wanted` : '';
      lines.push(`${label}, ${work}: ${median(all).toFixed(2)} x ${against} (${range}${wanted})`);
    }
  }
  return lines;
}
