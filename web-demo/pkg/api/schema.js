// Every validator is a Standard Schema (version 1): form libraries take it as it is. Synchronous once loaded.

export function withSchema(validator, module) {
  const outcome = (value) => {
    const result = validator.parse(value);
    return result.ok ? { value: result.value } : { issues: result.issues };
  };
  const failed = (error) => ({ issues: [{ code: error?.code ?? "not_loaded", message: String(error?.message), path: [] }] });
  const validate = (value) =>
    module.loaded ? outcome(value) : module.load().then(() => outcome(value), failed);
  return Object.freeze({
    ...validator,
    "~standard": Object.freeze({ version: 1, vendor: "portcullis", validate }),
  });
}
