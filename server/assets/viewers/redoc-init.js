// Starts Redoc, with the fonts of the system.
const sans = 'system-ui, -apple-system, "Segoe UI", Roboto, Helvetica, Arial, sans-serif';
const mono = "ui-monospace, SFMono-Regular, Menlo, Consolas, monospace";

Redoc.init(
  "openapi.json",
  {
    expandResponses: "200,201,202",
    nativeScrollbars: true,
    scrollYOffset: ".viewers",
    theme: {
      colors: { primary: { main: "#1f6560" } },
      typography: {
        fontFamily: sans,
        headings: { fontFamily: sans },
        code: { fontFamily: mono },
      },
    },
  },
  document.getElementById("viewer"),
);
