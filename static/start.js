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
  const compile = async (name) => {
    // After the page's own files: what a person sees first comes first.
    const response = await fetch(at(name + "_bg.wasm"), { priority: "low" });
    if (!response.ok) throw new Error(`${name}_bg.wasm could not be fetched (${response.status})`);
    const isTyped = response.headers.get("Content-Type")?.startsWith("application/wasm");
    return isTyped ? WebAssembly.compileStreaming(response) : WebAssembly.compile(await response.arrayBuffer());
  };
  const modules = new Map();
  const compiled = (name) => {
    if (!modules.has(name)) modules.set(name, compile(name));
    // What failed is tried anew when it is asked for again.
    modules.get(name).catch(() => modules.delete(name));
    return modules.get(name);
  };
  // The engine's program for `wanted`, "cpu" or "webgpu", or else the one this browser can use. `src/engine/program.rs`
  // asks for it.
  globalThis.heirloomProgram = async (wanted) => {
    const isCpu = wanted ? wanted === "cpu" : !(await hasAdapter());
    const name = isCpu ? "engine-cpu" : "engine";
    return [at(name + ".js"), await compiled(name)];
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
  // A site that is served while it is worked on has no such file, and a plain-http address no service workers.
  if (navigator.serviceWorker) addEventListener("load", () => keep().catch(() => {}));
}
