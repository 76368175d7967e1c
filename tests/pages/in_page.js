// What tests ask of a page from inside it. Each function looks; those that change something say so.
(() => {
  const shown = (element) => element.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  const label = (element) => {
    const text = (element.getAttribute("aria-label") || element.textContent || "").trim().replace(/\s+/g, " ");
    return `<${element.localName}> ${text.slice(0, 60)}`;
  };
  const inDrawing = (element) => element.closest("svg") && element.localName !== "svg";

  // ---- colours -------------------------------------------------------------------------------------------------
  const channels = (colour) => {
    const found = colour.match(/^rgba?\(([\d.]+), ([\d.]+), ([\d.]+)(?:, ([\d.]+))?\)$/);
    if (!found) throw new Error(`a colour that is not understood: ${colour}`);
    return [...found.slice(1, 4).map(Number), found[4] === undefined ? 1 : Number(found[4])];
  };
  const over = (front, back) => [0, 1, 2].map((i) => front[3] * front[i] + (1 - front[3]) * back[i]).concat(1);
  const canvas = () => (matchMedia("(prefers-color-scheme: dark)").matches ? [18, 18, 18, 1] : [255, 255, 255, 1]);
  const background = (element) => {
    const layers = [];
    for (let one = element; one; one = one.parentElement) {
      const colour = channels(getComputedStyle(one).backgroundColor);
      if (colour[3] > 0) layers.push(colour);
      if (colour[3] === 1) break;
    }
    return layers.reverse().reduce((back, front) => over(front, back), canvas());
  };
  const luminance = (colour) => {
    const [r, g, b] = colour.slice(0, 3).map((value) => {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (one, other) => {
    const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };

  // WCAG 1.4.3 for every text shown, the ones that axe-core leaves open included.
  const faint = () => {
    const problems = new Set();
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const seen = new Map();
    while (walker.nextNode()) {
      const element = walker.currentNode.parentElement;
      if (!walker.currentNode.data.trim() || seen.has(element) || inDrawing(element)) continue;
      seen.set(element, true);
      if (!shown(element)) continue;
      const style = getComputedStyle(element);
      const back = background(element);
      const ratio = contrast(over(channels(style.color), back), back);
      const size = parseFloat(style.fontSize);
      const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
      if (ratio < (large ? 3 : 4.5)) problems.add(`${label(element)}: contrast ${ratio.toFixed(2)}`);
    }
    return [...problems];
  };

  // ---- layout --------------------------------------------------------------------------------------------------
  const overflowing = () => {
    const room = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= room) return [];
    const within = (element) => {
      for (let one = element.parentElement; one; one = one.parentElement) {
        if (getComputedStyle(one).overflowX !== "visible") return true;
      }
      return false;
    };
    const wide = [...document.body.querySelectorAll("*")].filter(
      (element) => !inDrawing(element) && shown(element) && element.getBoundingClientRect().right > room + 0.5 && !within(element),
    );
    return [`the page is ${document.documentElement.scrollWidth} px wide in ${room} px`, ...wide.slice(0, 5).map(label)];
  };
  // What is too large for its box, where that hides it. A box that is clipped, or of a pixel, is for ears alone.
  const beyond = (hides) =>
    [...document.body.querySelectorAll("*")]
      .filter((element) => !inDrawing(element) && shown(element) && element.clientWidth > 1)
      .filter((element) => {
        const style = getComputedStyle(element);
        if (style.clip !== "auto") return false;
        const wide = hides(style.overflowX) && element.scrollWidth > element.clientWidth + 1;
        const high = hides(style.overflowY) && element.scrollHeight > element.clientHeight + 1;
        return wide || high;
      })
      .map((element) => `${label(element)}: ${element.scrollWidth} px in ${element.clientWidth} px`);
  const hidden = () => beyond((overflow) => ["hidden", "clip"].includes(overflow));
  const cut = () => beyond((overflow) => overflow !== "visible"); // on paper, which does not scroll

  // ---- keyboard ------------------------------------------------------------------------------------------------
  const FOCUSABLE = "a[href], area[href], button, input, select, textarea, summary, iframe, [tabindex], [contenteditable]";
  // What is seen through until it has the focus is a stop all the same.
  const reachable = (element) => element.tabIndex >= 0 && !element.disabled && element.checkVisibility({ visibilityProperty: true });
  const stops = () => [...document.querySelectorAll(FOCUSABLE)].filter(reachable);
  const focusLog = [];
  const focusStyle = (element) => {
    const style = getComputedStyle(element);
    const back = background(element.parentElement || element);
    const drawn = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1;
    // The browser's own ring ("auto") has two colours, made to be seen on any ground.
    if (!shown(element)) return "transparent though it has the focus";
    if (!drawn) return "no outline";
    if (style.outlineStyle === "auto") return "";
    const ratio = contrast(over(channels(style.outlineColor), back), back);
    return ratio < 3 ? `an outline of contrast ${ratio.toFixed(2)}` : "";
  };
  const onScreen = (element) => {
    const box = element.getBoundingClientRect();
    return box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth && box.width > 0 && box.height > 0;
  };
  // Changes the page: notes from now on where the focus goes and how that looks.
  const watchFocus = () => {
    focusLog.length = 0;
    document.addEventListener("focusin", (event) => {
      const element = event.target;
      focusLog.push({ element, fault: focusStyle(element) || (onScreen(element) ? "" : "outside the window") });
    });
    return stops().length;
  };
  const focusFaults = () => {
    const wanted = stops();
    const places = new Map(wanted.map((element, place) => [element, place]));
    const walked = focusLog.filter(({ element }) => places.has(element)).map(({ element }) => places.get(element));
    const problems = focusLog.filter(({ fault }) => fault).map(({ element, fault }) => `${label(element)}: ${fault}`);
    const reached = new Set(walked);
    wanted.forEach((element, place) => {
      if (!reached.has(place)) problems.push(`${label(element)}: Tab never gets there`);
    });
    const first = [...reached];
    for (let i = 1; i < first.length; i += 1) {
      if (first[i] < first[i - 1]) problems.push(`${label(wanted[first[i]])}: comes after ${label(wanted[first[i - 1]])}`);
    }
    return [...new Set(problems)];
  };

  // ---- changes that make a page ready to be looked at ------------------------------------------------------------
  const openDetails = () => document.querySelectorAll("details").forEach((element) => { element.open = true; });
  // A drawing with role=img is one thing to every reader; a table's rows come from one template.
  const abridge = (rows) => {
    document.querySelectorAll("svg[role=img]").forEach((drawing) => drawing.replaceChildren());
    document.querySelectorAll("tbody").forEach((body) => [...body.rows].slice(rows).forEach((row) => row.remove()));
  };

  window.varpropTests = { abridge, cut, faint, focusFaults, hidden, openDetails, overflowing, watchFocus, shown, label };
})();
