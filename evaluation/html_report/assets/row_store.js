// The packed rows: an index of numbers that is always here, and chunks of texts, unpacked when they are asked for.

const CHUNKS_KEPT = 24;

function bytesOf(base64) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(base64);
  const letters = atob(base64);
  const bytes = new Uint8Array(letters.length);
  for (let place = 0; place < letters.length; place += 1) bytes[place] = letters.charCodeAt(place);
  return bytes;
}

async function unpacked(element) {
  const packed = new Blob([bytesOf(element.textContent)]);
  return new Response(packed.stream().pipeThrough(new DecompressionStream("gzip"))).text();
}

// A chunk is whole once the element behind it is there: a long page is still being read when its script runs.
async function wholeElement(id) {
  for (;;) {
    const element = byId(id);
    if (element && (element.nextElementSibling || document.readyState !== "loading")) return element;
    if (document.readyState !== "loading") throw new Error(`${id} is missing: this file is not whole`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

class RowStore {
  static async open() {
    const index = JSON.parse(await unpacked(byId("row-index")));
    return new RowStore(index.names, index.columns);
  }

  constructor(names, columns) {
    this.names = names;
    this.columns = columns;
    this.count = columns.kind.length;
    this.chunks = new Map();
  }

  async chunkText(number) {
    return unpacked(await wholeElement(`rows-${number}`));
  }

  async chunk(number) {
    let rows = this.chunks.get(number);
    if (!rows) rows = JSON.parse(await this.chunkText(number));
    this.chunks.delete(number);
    this.chunks.set(number, rows);
    if (this.chunks.size > CHUNKS_KEPT) this.chunks.delete(this.chunks.keys().next().value);
    return rows;
  }

  async row(number) {
    const { columns, names } = this;
    const texts = (await this.chunk(columns.chunk[number]))[columns.place[number]];
    const rejectedSource = columns.rejectedSource[number];
    return {
      ...texts,
      number,
      isPair: columns.kind[number] === 0,
      dataset: names.dataset[columns.dataset[number]],
      domain: names.domain[columns.domain[number]],
      source: names.source[columns.source[number]],
      rejectedSource: rejectedSource === null ? null : names.source[rejectedSource],
      score: columns.score[number],
      rejectedScore: columns.rejectedScore[number],
      margin: columns.margin[number],
    };
  }

  // The rows that all filters let through, in the order asked for.
  select(filters) {
    const { columns } = this;
    const tests = [];
    for (const name of ["kind", "dataset", "domain"]) {
      if (filters[name] !== "") tests.push((row) => columns[name][row] === Number(filters[name]));
    }
    if (filters.source !== "") {
      const source = Number(filters.source);
      tests.push((row) => columns.source[row] === source || columns.rejectedSource[row] === source);
    }
    if (filters.marginLow !== "") tests.push((row) => columns.margin[row] !== null && columns.margin[row] >= Number(filters.marginLow));
    if (filters.marginHigh !== "") tests.push((row) => columns.margin[row] !== null && columns.margin[row] <= Number(filters.marginHigh));
    const check = this.checkTest(filters.check);
    if (check) tests.push(check);
    const rows = [];
    for (let row = 0; row < this.count; row += 1) {
      if (tests.every((test) => test(row))) rows.push(row);
    }
    return this.ordered(rows, filters.order);
  }

  checkTest(wanted) {
    const { right, rejectedRight } = this.columns;
    return {
      right: (row) => right[row] === true,
      wrong: (row) => right[row] === false,
      unknown: (row) => right[row] === null,
      "right-wrong": (row) => right[row] === true && rejectedRight[row] === false,
      "both-right": (row) => right[row] === true && rejectedRight[row] === true,
    }[wanted];
  }

  // Rows without the value asked for come last, whichever way the others go.
  ordered(rows, order) {
    const { margin, score, characters } = this.columns;
    const [column, sign] = {
      "margin-down": [margin, -1], "margin-up": [margin, 1], "score-down": [score, -1], "score-up": [score, 1],
      longer: [characters, -1], shorter: [characters, 1],
    }[order] || [null, 0];
    if (!column) return rows;
    return rows.sort((a, b) => {
      if (column[a] === null || column[b] === null) return (column[a] === null) - (column[b] === null) || a - b;
      return sign * (column[a] - column[b]) || a - b;
    });
  }

  // Yields, chunk by chunk, how far the search is and which rows hold the words. A chunk whose text does not hold them
  // anywhere is not taken apart.
  async *search(rows, words) {
    const wanted = words.toLowerCase();
    const asJson = JSON.stringify(wanted).slice(1, -1);
    const byChunk = new Map();
    for (const row of rows) {
      const number = this.columns.chunk[row];
      if (!byChunk.has(number)) byChunk.set(number, []);
      byChunk.get(number).push(row);
    }
    let done = 0;
    for (const [number, members] of byChunk) {
      const text = await this.chunkText(number);
      let found = [];
      if (text.toLowerCase().includes(asJson)) {
        const texts = JSON.parse(text);
        found = members.filter((row) => holds(texts[this.columns.place[row]], wanted));
      }
      done += 1;
      yield { share: done / byChunk.size, found };
    }
  }
}

function holds(texts, wanted) {
  const parts = [texts.promptId, texts.answer, texts.rejected || "", ...texts.messages.map((turn) => turn[1])];
  return parts.some((part) => part.toLowerCase().includes(wanted));
}
