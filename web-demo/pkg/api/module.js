// A .wasm that is loaded once, when someone asks for it.

const BLOCKED = /unsafe-eval|content.security.policy|\bCSP\b/i;

/**
 * @param glue what wasm-bindgen wrote: `default` instantiates, the rest are functions
 * @param source gives bytes, a response or a compiled module
 */
export function wasmModule(glue, source, prepare = () => {}) {
  let loading;
  let loaded = false;
  return {
    get loaded() {
      return loaded;
    },
    load(given) {
      loading ??= start(given ?? source).catch((error) => {
        loading = undefined;
        throw explained(error);
      });
      return loading;
    },
  };

  async function start(from) {
    const module_or_path = typeof from === "function" ? await from() : await from;
    await glue.default({ module_or_path });
    prepare();
    loaded = true;
  }
}

function explained(error) {
  if (!BLOCKED.test(String(error?.message))) return error;
  const message =
    "This page's Content-Security-Policy does not let WebAssembly run: add 'wasm-unsafe-eval' to script-src. Until then no value is checked here; the server still checks all of them.";
  return Object.assign(new Error(message, { cause: error }), { code: "wasm_blocked" });
}
