// Starts Scalar. It stays on this server: no telemetry, no fonts, proxy, agent or client of its makers.
Scalar.createApiReference("#viewer", {
  url: "openapi.json",
  agent: { disabled: true },
  documentDownloadType: "direct",
  hideClientButton: true,
  persistAuth: false,
  proxyUrl: "",
  showDeveloperTools: "never",
  telemetry: false,
  withDefaultFonts: false,
});
