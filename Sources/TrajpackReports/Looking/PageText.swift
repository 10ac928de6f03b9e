import TrajpackFormat

/// The fixed parts of a page, and data as it may stand in one.
enum PageText {
  /// Everything before the episodes.
  static func head(title: String) -> String {
    // Nothing is loaded from anywhere but the page and the folder beside it.
    """
    <!doctype html>
    <html lang="en"><head><meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data: 'self' file:; \
    style-src 'unsafe-inline'; script-src 'unsafe-inline'">
    <title>\(Markup.escaped(title.replacing("\n", with: " ")))</title>
    <style>\(style)</style></head><body>
    <noscript><p>This page draws its recordings with a script of its own, and scripts are switched off here.</p></noscript>
    <main id="main"></main>

    """
  }

  /// Everything after the data.
  static let tail = "<script>\(script)\(drawing)</script></body></html>\n"

  /// A document as the text of a script element: no tag can begin or end in it.
  static func embedded(_ document: JSONValue) -> String {
    var out = ""
    for scalar in document.text().unicodeScalars {
      switch scalar {
      case "<": out += "\\u003c"
      case ">": out += "\\u003e"
      case "&": out += "\\u0026"
      case "\u{2028}": out += "\\u2028"
      case "\u{2029}": out += "\\u2029"
      default: out.unicodeScalars.append(scalar)
      }
    }
    return out
  }

  private static let style = """

    :root { color-scheme: light dark; --paper: light-dark(#fbfbfc, #0d1117); --card: light-dark(#fff, #141a23);
      --panel: light-dark(#f1f3f6, #1b2330); --rule: light-dark(#e2e5ea, #2a3442); --ink: light-dark(#1b2027, #e4e9f0);
      --soft: light-dark(#68717d, #8a97a9); --warn: light-dark(#a35a00, #ffb454); --warnbg: light-dark(#fff4e2, #2b2213);
      --accent: light-dark(#0067b0, #4cc9f0); --c0: light-dark(#0077b6, #4cc9f0); --c1: light-dark(#b07d00, #f9c74f);
      --c2: light-dark(#2b8a3e, #90e0a4); --c3: light-dark(#7b4bc4, #c7a0ff); --c4: light-dark(#d13f3f, #ff6b6b);
      --c5: light-dark(#c96326, #ff9f6e); --c6: light-dark(#5c6670, #ecf2fa); --c7: light-dark(#00838f, #5eead4);
      --c8: light-dark(#b0307e, #f48fb1); --c9: light-dark(#5d7a1f, #c5e063); --none: light-dark(#4a6fa5, #9db8e8);
      --p0: light-dark(#2f6fb2, #7fb4f5); --p1: light-dark(#c4541d, #ff9e64); --p2: light-dark(#2d8a57, #73daa5);
      --p3: light-dark(#8a4fb5, #c9a0f0) }
    * { box-sizing: border-box }
    body { margin: 0; background: var(--paper); color: var(--ink);
      font: 14px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif }
    main { max-width: 1320px; margin: 0 auto; padding: 28px 24px 80px }
    h1 { font-size: 26px; font-weight: 650; margin: 0; letter-spacing: -.01em; overflow-wrap: anywhere }
    h2 { font-size: 17px; font-weight: 650; margin: 36px 0 10px } h3 { font-size: 13px; font-weight: 600; margin: 0 0 10px }
    .sub, .dim { color: var(--soft) } .sub { margin: 2px 0 18px; overflow-wrap: anywhere }
    .top { display: flex; justify-content: space-between; align-items: flex-start; gap: 16px }
    button, input, select { font: inherit; color: inherit; background: var(--card); border: 1px solid var(--rule);
      border-radius: 7px; padding: 5px 10px } button { cursor: pointer } button:hover { border-color: var(--soft) }
    .facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(128px, 1fr)); gap: 10px }
    .fact, .card { background: var(--card); border: 1px solid var(--rule); border-radius: 10px }
    .fact { padding: 10px 14px } .fact b { display: block; font-size: 20px; font-weight: 650;
      font-variant-numeric: tabular-nums; white-space: nowrap } .fact span { color: var(--soft); font-size: 12px }
    .cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 380px), 1fr)); gap: 14px; margin-top: 14px }
    .card { padding: 14px 16px; min-width: 0 }
    .bar { display: flex; height: 22px; border-radius: 6px; overflow: hidden; gap: 2px; margin-bottom: 6px }
    .bar i { min-width: 2px } .keys { display: flex; flex-wrap: wrap; gap: 2px 16px; font-size: 12px; margin-bottom: 10px }
    .keys i { display: inline-block; width: 9px; height: 9px; border-radius: 3px; margin-right: 6px }
    .rank { display: grid; grid-template-columns: minmax(60px, max-content) 1fr max-content; gap: 3px 10px; font-size: 12px;
      font-variant-numeric: tabular-nums; align-items: center } .rank div { height: 12px; border-radius: 3px;
      background: var(--c0); opacity: .8; min-width: 1px } .rank span:nth-child(3n) { text-align: right; color: var(--soft) }
    ul.odd { margin: 0; padding: 0; list-style: none; columns: 2; column-gap: 28px } ul.odd li { break-inside: avoid;
      padding: 2px 0; overflow-wrap: anywhere } ul.odd a { color: var(--accent); text-decoration: none }
    .wide { overflow-x: auto } table { border-collapse: collapse; width: 100%; font-size: 13px }
    td:first-child { white-space: pre } th, td { text-align: left; padding: 4px 18px 4px 0; border-bottom: 1px solid var(--rule); white-space: nowrap;
      font-variant-numeric: tabular-nums } th { color: var(--soft); font-weight: 600; font-size: 12px }
    td.n, th.n { text-align: right } td.w { color: var(--warn) } td.t { white-space: normal; overflow-wrap: anywhere;
      max-width: 320px; min-width: 130px }
    details > summary { cursor: pointer; color: var(--soft); margin: 10px 0 }
    .tools { position: sticky; top: 0; z-index: 5; display: flex; flex-wrap: wrap; gap: 10px; align-items: center;
      padding: 10px 0; background: var(--paper) } .tools input[type=search] { flex: 1 1 220px; max-width: 420px }
    .tools label { display: flex; gap: 6px; align-items: center }
    .ep { margin-bottom: 18px; scroll-margin-top: 60px } .ep .card { padding: 16px 18px 12px }
    .ep header { display: flex; flex-wrap: wrap; justify-content: space-between; align-items: baseline; gap: 4px 16px;
      margin-bottom: 10px } .ep header b { font-size: 18px; font-weight: 620; overflow-wrap: anywhere }
    .chip { display: inline-block; font-size: 12px; padding: 1px 9px; border-radius: 20px; background: var(--panel);
      margin-left: 10px; vertical-align: 2px } .chips { margin: -4px 0 10px; display: flex; flex-wrap: wrap; gap: 6px }
    .chips span { font-size: 12px; padding: 2px 9px; border-radius: 6px; background: var(--warnbg); color: var(--warn);
      overflow-wrap: anywhere } .chips span.value { background: var(--panel); color: var(--ink) }
    .body { display: grid; grid-template-columns: minmax(0, 1fr) 250px; gap: 0 20px } .body.alone { grid-template-columns: 1fr }
    .strip { display: grid; gap: 8px; margin-bottom: 8px } .thumb { position: relative; border-radius: 6px; overflow: hidden;
      background-color: var(--panel); background-repeat: no-repeat } .thumb svg { position: absolute; inset: 0; width: 100%;
      height: 100% } .thumb svg path { fill: none; stroke-linecap: round; stroke-linejoin: round }
    .thumb em { position: absolute; left: 6px; top: 6px; font: 11px/1.5 system-ui, sans-serif; padding: 0 7px; border-radius: 4px;
      background: rgba(13, 17, 23, .74); color: #e4e9f0 }
    .time { position: relative } canvas { display: block; width: 100% } .side canvas { border-radius: 8px;
      background: var(--panel); touch-action: none }
    .side .legend { font-size: 12px; display: flex; flex-wrap: wrap; gap: 2px 12px; margin: 6px 0 }
    .side .legend i { display: inline-block; width: 12px; height: 3px; border-radius: 2px; margin: 0 5px 3px 0 }
    .rule { position: absolute; top: 0; bottom: 22px; width: 1px; background: var(--soft); pointer-events: none; display: none }
    .tip { position: absolute; top: 6px; z-index: 4; pointer-events: none; display: none; background: var(--card);
      border: 1px solid var(--rule); border-radius: 8px; padding: 7px 10px; font-size: 12px; white-space: nowrap;
      box-shadow: 0 4px 18px rgba(0, 0, 0, .22); font-variant-numeric: tabular-nums; max-width: 340px; overflow: hidden }
    footer { margin-top: 40px; color: var(--soft); font-size: 12px }
    @media (max-width: 860px) { .body { grid-template-columns: 1fr } ul.odd { columns: 1 } .side { max-width: 340px } }
    @media print { .tools, button { display: none } }

    """
}
