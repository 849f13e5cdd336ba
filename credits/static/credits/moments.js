// Tells each <time data-moment> in the reader's own time zone, while the page is still being parsed
// and so before anything is painted: nothing moves. What scripts add later is told as well.
(() => {
  const clock = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  const date = { day: "numeric", month: "short", year: "numeric" };
  // Each with its twin in credits/templatetags/moments.py.
  const styles = { day: date, minute: { ...date, ...clock }, weekday: { weekday: "long", ...clock } };

  function tell(time) {
    const style = styles[time.dataset.moment];
    const moment = new Date(time.dateTime);
    if (!style || isNaN(moment)) return;
    const text = new Intl.DateTimeFormat(document.documentElement.lang, style).format(moment);
    const told = (time.dataset.yours || "{}").replace("{}", text);
    // The parser may add the rest of the text later, and is then told again.
    if (time.textContent !== told) time.textContent = told;
  }

  function tellWithin(node) {
    const element = node.nodeType === Node.ELEMENT_NODE ? node : node.parentElement;
    const time = element?.closest("time[data-moment]");
    if (time) tell(time);
    else element?.querySelectorAll("time[data-moment]").forEach(tell);
  }

  new MutationObserver((mutations) => {
    for (const { addedNodes } of mutations) addedNodes.forEach(tellWithin);
  }).observe(document, { childList: true, subtree: true });
})();
