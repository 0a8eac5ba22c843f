// Filters, order, search and pages. Only the rows of one page are ever in the document.

class RowBrowser {
  constructor(store, form) {
    this.store = store;
    this.form = form;
    this.rows = [];
    this.page = 0;
    this.searches = 0; // both count requests: one that was overtaken by a later one stops
    this.showings = 0;
    this.fillChoices();
    let waiting = null;
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", (event) => {
      clearTimeout(waiting);
      waiting = setTimeout(() => this.changed(event.target.name), event.target.name === "query" ? 300 : 0);
    });
    form.addEventListener("reset", () => setTimeout(() => this.changed("reset"), 0));
    for (const pager of document.querySelectorAll("[data-pager]")) this.buildPager(pager);
  }

  fillChoices() {
    const { columns, names } = this.store;
    const counted = (column) => {
      const counts = new Map();
      for (const value of column) counts.set(value, (counts.get(value) || 0) + 1);
      return counts;
    };
    const kinds = counted(columns.kind);
    const choices = { kind: ["preference pairs", "SFT rows"], ...names };
    for (const [name, texts] of Object.entries(choices)) {
      const counts = name === "kind" ? kinds : counted(columns[name]);
      texts.forEach((text, number) => {
        const count = counts.get(number);
        if (count) this.form.elements[name].append(make("option", { value: number }, `${text} (${thousands(count)})`));
      });
    }
  }

  filters() {
    const values = {};
    for (const name of ["kind", "dataset", "domain", "source", "check", "marginLow", "marginHigh", "order"]) {
      values[name] = this.form.elements[name].value;
    }
    return values;
  }

  async changed(name) {
    if (name === "plain") return this.showPage();
    if (name !== "size" && !(await this.choose())) return undefined;
    return this.showPage(0);
  }

  // Finds the rows that fit; false where a later request came in between.
  async choose() {
    this.searches += 1;
    const turn = this.searches;
    const rows = this.store.select(this.filters());
    const words = this.form.elements.query.value.trim();
    if (!words) {
      this.rows = rows;
      return true;
    }
    const found = new Set();
    for await (const part of this.store.search(rows, words)) {
      if (turn !== this.searches) return false;
      for (const row of part.found) found.add(row);
      byId("row-count").textContent = `Searching: ${Math.round(100 * part.share)} %, ${thousands(found.size)} found`;
    }
    this.rows = rows.filter((row) => found.has(row));
    return true;
  }

  get size() {
    return Number(this.form.elements.size.value);
  }

  get pages() {
    return Math.max(1, Math.ceil(this.rows.length / this.size));
  }

  async showPage(page = this.page) {
    this.showings += 1;
    const turn = this.showings;
    this.page = Math.min(Math.max(page, 0), this.pages - 1);
    const start = this.page * this.size;
    const numbers = this.rows.slice(start, start + this.size);
    const plain = this.form.elements.plain.checked;
    const cards = [];
    for (const number of numbers) {
      cards.push(rowCard(await this.store.row(number), plain));
      if (turn !== this.showings) return;
    }
    byId("row-list").replaceChildren(...cards);
    this.tell(start, numbers.length);
  }

  tell(start, shown) {
    const all = this.rows.length;
    const range = shown ? `${thousands(start + 1)}–${thousands(start + shown)} of ${thousands(all)} rows` : "No row fits these filters";
    const whole = all === this.store.count ? "" : ` (${thousands(this.store.count)} in all)`;
    byId("row-count").textContent = range + whole;
    for (const pager of document.querySelectorAll("[data-pager]")) {
      const [first, previous, number, next, last] = pager.querySelectorAll("button, input");
      first.disabled = previous.disabled = this.page === 0;
      next.disabled = last.disabled = this.page >= this.pages - 1;
      number.value = this.page + 1;
      number.max = this.pages;
      pager.querySelector("output").textContent = `of ${thousands(this.pages)}`;
    }
  }

  buildPager(pager) {
    const button = (text, label, page) => {
      const element = make("button", { type: "button", "aria-label": label }, text);
      element.addEventListener("click", () => this.showPage(page()));
      return element;
    };
    const number = make("input", { type: "number", min: "1", "aria-label": "Page" });
    number.addEventListener("change", () => this.showPage(Math.round(Number(number.value) || 1) - 1));
    pager.append(
      button("«", "First page", () => 0),
      button("‹", "Previous page", () => this.page - 1),
      number,
      make("output", {}),
      button("›", "Next page", () => this.page + 1),
      button("»", "Last page", () => this.pages - 1),
    );
  }
}

async function openBrowser() {
  const form = byId("row-filters");
  if (!form) return;
  if (!("DecompressionStream" in window)) {
    byId("row-count").textContent = "This browser cannot unpack the rows; use one of 2023 or later.";
    return;
  }
  try {
    const browser = new RowBrowser(await RowStore.open(), form);
    await browser.changed("");
  } catch (error) {
    byId("row-count").textContent = `The rows cannot be read: ${error.message}`;
    throw error;
  }
}

openBrowser();
