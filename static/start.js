// Starts the page, and compiles the engine beside it. Trunk writes the names of the built files into this script's tag;
// being a file of its own, it needs no exception in the content-security policy.
"use strict";
{
  const { js, wasm } = document.currentScript.dataset;
  const at = (name) => new URL(name, document.baseURI).href;
  // A worker cannot tell before it runs whether there is an adapter, and by then the wrong program would be there.
  const hasAdapter = async () => {
    try {
      return Boolean(await navigator.gpu?.requestAdapter());
    } catch {
      return false;
    }
  };
  const fetched = async (file) => {
    // After the page's own files: what a person sees first comes first.
    const response = await fetch(at(file), { priority: "low" });
    if (!response.ok) throw new Error(`${file} could not be fetched (${response.status})`);
    return response;
  };
  const compile = async (name) => {
    const response = await fetched(name + "_bg.wasm");
    const isTyped = response.headers.get("Content-Type")?.startsWith("application/wasm");
    return isTyped ? WebAssembly.compileStreaming(response) : WebAssembly.compile(await response.arrayBuffer());
  };
  // The script as text: Firefox lets no service worker answer what a worker from a blob imports, so that without a network
  // it would not start.
  const text = async (name) => (await fetched(name + ".js")).text();
  const programs = new Map();
  const program = (name) => {
    if (!programs.has(name)) programs.set(name, Promise.all([text(name), compile(name)]));
    // What failed is tried anew when it is asked for again.
    programs.get(name).catch(() => programs.delete(name));
    return programs.get(name);
  };
  // The engine's program for `wanted`, "cpu" or "webgpu", or else the one this browser can use. `src/engine/program.rs`
  // asks for it.
  globalThis.heirloomProgram = async (wanted) => {
    const isCpu = wanted ? wanted === "cpu" : !(await hasAdapter());
    return program(isCpu ? "engine-cpu" : "engine");
  };
  globalThis.heirloomProgram(new URLSearchParams(location.search).get("engine")).catch(() => {});
  import(at(js))
    .then((page) => page.default({ module_or_path: at(wasm) }))
    .catch((error) => {
      console.error("the page did not start:", error);
      const sentence = document.createElement("p");
      sentence.setAttribute("role", "alert");
      sentence.dataset.testid = "notice";
      sentence.textContent =
        "The page did not start. It needs a browser with WebAssembly (any current Chrome, Edge, Firefox or Safari). " +
        "Reload once; if this stays, the copy of the site may be incomplete. (" + error + ")";
      document.body.append(sentence);
    });

  // Keeps the site for when there is no network, once the page stands. It answers only for the next visit, and a newer
  // version waits until every tab of this one is closed.
  const say = (state) => {
    document.documentElement.dataset.offline = state;
    dispatchEvent(new CustomEvent("heirloom-offline", { detail: state }));
  };
  const keep = async () => {
    const kept = await navigator.serviceWorker.register("offline.js", { updateViaCache: "none" });
    if (!kept) return;
    const hear = (worker) => {
      const told = () => {
        if (worker.state === "installed" && kept.active) say("waiting");
        else if (worker.state === "activated") say("ready");
      };
      worker.addEventListener("statechange", told);
      told();
    };
    kept.addEventListener("updatefound", () => hear(kept.installing));
    for (const worker of [kept.active, kept.installing, kept.waiting]) if (worker) hear(worker);
  };
  // Firefox keeps a page it left, with its workers and the store they hold, for the way back; the next visit would then
  // find no store. It keeps no page that holds a lock.
  navigator.locks?.request("heirloom is open", { mode: "shared" }, () => new Promise(() => {})).catch(() => {});
  // A site that is served while it is worked on has no such file, and a plain-http address no service workers.
  if (navigator.serviceWorker) addEventListener("load", () => keep().catch(() => {}));
}
