// The values under the pointer, for line charts: the nearest logged step of each curve.

const SVG = "http://www.w3.org/2000/svg";

function followPointer(chart) {
  const curves = JSON.parse(chart.dataset.points);
  const told = make("p", { class: "told", "aria-hidden": "true" });
  chart.after(told);
  const line = document.createElementNS(SVG, "line");
  line.setAttribute("class", "pointer");
  line.setAttribute("y1", "12");
  line.setAttribute("y2", String(chart.viewBox.baseVal.height - 40));
  chart.append(line);
  const clear = () => {
    told.textContent = "";
    line.removeAttribute("x1");
    line.classList.remove("on");
  };
  chart.addEventListener("pointerleave", clear);
  chart.addEventListener("pointermove", (event) => {
    const place = (event.offsetX / chart.clientWidth) * chart.viewBox.baseVal.width;
    const steps = curves.map((curve) => nearest(curve, place));
    const [first] = steps;
    line.setAttribute("x1", first.x);
    line.setAttribute("x2", first.x);
    line.classList.add("on");
    told.textContent = `step ${thousands(first.step)}: ${steps.map((step) => `${step.name} ${short(step.value)}`).join(", ")}`;
  });
}

function nearest(curve, place) {
  let best = 0;
  curve.places.forEach(([x], number) => {
    if (Math.abs(x - place) < Math.abs(curve.places[best][0] - place)) best = number;
  });
  return { name: curve.name, x: curve.places[best][0], step: curve.values[best][0], value: curve.values[best][1] };
}

const short = (value) => (Math.abs(value) >= 1000 ? thousands(Math.round(value)) : String(Number(value.toPrecision(4))));

for (const chart of document.querySelectorAll("svg[data-points]")) followPointer(chart);
