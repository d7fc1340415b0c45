// Starts the page. Trunk writes the names of the built files into this script's tag; being a file of its own, it needs
// no exception in the content-security policy.
"use strict";
{
  const { js, wasm } = document.currentScript.dataset;
  const at = (name) => new URL(name, document.baseURI).href;
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
}
