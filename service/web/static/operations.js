// Fills the operations page with what the service sends every two seconds, and draws the last quarter of an hour.
"use strict";

{
  const KEPT = 450;
  const language = { en: "en-GB" }[document.documentElement.lang] ?? document.documentElement.lang;
  const live = document.getElementById("live");
  const connection = document.getElementById("connection");
  const number = new Intl.NumberFormat(language, { maximumFractionDigits: 0 });
  const decimal = new Intl.NumberFormat(language, { maximumFractionDigits: 1 });
  const samples = [];

  const SPANS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
  const span = (seconds) => {
    const [unit, size] = SPANS.find(([, least]) => seconds >= 2 * least) ?? SPANS.at(-1);
    const written = new Intl.NumberFormat(language, { style: "unit", unit, unitDisplay: "short", maximumFractionDigits: 0 });
    return written.format(seconds / size);
  };
  const WRITTEN = { number: (n) => number.format(n), rate: (n) => decimal.format(n), span };

  // Events per second: how far the count has come since ten seconds before.
  const rated = (sample, index, all) => {
    const before = all[Math.max(0, index - 5)];
    const seconds = sample.at - before.at;
    return { ...sample, rate: seconds > 0 ? Math.max(0, sample.events - before.events) / seconds : 0 };
  };

  const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const drawn = [...document.querySelectorAll("[data-chart]")].map((place) => {
    const axis = { stroke: style("--quiet"), grid: { stroke: style("--line"), width: 1 }, ticks: { show: false } };
    const size = () => ({ width: place.clientWidth, height: 170 });
    const chart = new uPlot({
      ...size(),
      legend: { show: false },
      cursor: { show: false },
      scales: {
        x: { range: (_, low, high) => [Math.min(low ?? 0, (high ?? 0) - 60), high ?? 0] },
        y: { range: (_, low, high) => [0, Math.max(high * 1.1, 4)] },
      },
      axes: [
        {
          ...axis,
          space: 70,
          incrs: [1, 2, 5, 10, 20].map((minutes) => minutes * 60),
          values: (_, ticks) => ticks.map((at) => new Date(at * 1000).toLocaleTimeString(language, { timeStyle: "short" })),
        },
        { ...axis, size: 64, values: (_, ticks) => ticks.map(WRITTEN[place.dataset.kind]) },
      ],
      series: [{}, { stroke: style("--link"), width: 2, points: { show: false } }],
    }, [[], []], place);
    new ResizeObserver(() => chart.setSize(size())).observe(place);
    return [place.dataset.chart, chart];
  });

  const show = () => {
    const all = samples.map(rated);
    const last = all.at(-1);
    live.querySelectorAll("[data-figure]").forEach((element) => {
      const { figure, row, kind } = element.dataset;
      const value = row === undefined ? last[figure] : last[figure][row] ?? 0;
      element.textContent = WRITTEN[kind](value);
      element.closest("tr")?.classList.toggle("nought", value === 0);
    });
    document.querySelectorAll("[data-away]").forEach((notice) => { notice.hidden = last[notice.dataset.away] !== 0; });
    const at = all.map((sample) => sample.at);
    drawn.forEach(([name, chart]) => chart.setData([at, all.map((sample) => sample[name])]));
  };

  const say = (text) => { if (connection.textContent !== text) connection.textContent = text; };
  const source = new EventSource(live.dataset.stream);
  source.addEventListener("samples", (event) => {
    const latest = samples.at(-1)?.at ?? 0;
    samples.push(...JSON.parse(event.data).filter((sample) => sample.at > latest));
    samples.splice(0, samples.length - KEPT);
    say(connection.dataset.live);
    if (samples.length) show();
  });
  source.addEventListener("error", () => say(connection.dataset.lost));
}
