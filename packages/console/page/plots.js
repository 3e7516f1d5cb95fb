// Plots of a call over time: score, loss and loudness of both directions.
import { html, useEffect, useRef } from "./vendor/preact.js";

const HEIGHT = 190;
const COLOURS = ["--accent", "--received"];

/** `series`: [{ name, values }], one value each `everyMs` from the answer on; `range`: [least, most] of the axis. */
export function Plot({ title, unit, everyMs, series, range }) {
	const place = useRef();
	const key = JSON.stringify([everyMs, series]);
	useEffect(() => {
		let end;
		let gone = false;
		// Only where there is something to plot; and where the library cannot run, the numbers beside it still say it all.
		import("./vendor/uplot.js").then(
			({ default: uPlot }) => {
				if (!gone) end = draw(uPlot, place.current, { everyMs, series, range });
			},
			() => place.current?.replaceChildren("This browser cannot draw the plot."),
		);
		return () => {
			gone = true;
			end?.();
		};
	}, [key]);
	const spoken = series.map(({ name, values }) => `${name}: ${range_(values)}`).join("; ");
	return html`<figure style="margin: 0 0 1rem"><figcaption><strong>${title}</strong>${unit ? html` <span class="soft">${unit}</span>` : ""}</figcaption>
		<div class="plot" ref=${place} role="img" aria-label=${`${title}. ${spoken}`}></div></figure>`;
}

/** Gives what takes the plot away again. */
function draw(uPlot, place, { everyMs, series, range }) {
	const style = getComputedStyle(document.documentElement);
	const colour = (name) => style.getPropertyValue(name).trim();
	const length = Math.max(...series.map(({ values }) => values.length));
	const seconds = Array.from({ length }, (_, index) => ((index + 1) * everyMs) / 1000);
	const axis = { stroke: colour("--soft"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line") } };
	const line = ({ name }, index) => ({
		label: name,
		stroke: colour(COLOURS[index]),
		width: 2,
		dash: index === 1 ? [6, 4] : undefined,
		points: { show: length < 3 },
	});
	const plot = new uPlot(
		{
			width: widthOf(place),
			height: HEIGHT,
			scales: { x: { time: false }, y: { range: range ?? ((_, least, most) => [Math.min(0, least ?? 0), Math.max(1, most ?? 1)]) } },
			axes: [
				{ ...axis, values: (_, all) => all.map((value) => `${value} s`) },
				{ ...axis, size: 44 },
			],
			// the legend says which line is whose; values are on the axes and in words
			legend: { live: false },
			series: [{ label: "s" }, ...series.map(line)],
		},
		[seconds, ...series.map(({ values }) => seconds.map((_, index) => values[index] ?? null))],
		place,
	);
	const resized = new ResizeObserver(() => plot.setSize({ width: widthOf(place), height: HEIGHT }));
	resized.observe(place);
	return () => {
		resized.disconnect();
		plot.destroy();
	};
}

const widthOf = (place) => Math.max(240, place.clientWidth);

function range_(values) {
	const known = values.filter((value) => typeof value === "number");
	return known.length === 0 ? "nothing measured" : `from ${Math.min(...known).toFixed(2)} to ${Math.max(...known).toFixed(2)}`;
}
