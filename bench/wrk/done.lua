-- One line of JSON for whoever called. Errors of the socket and answers over 399 are told: a rate with them is none.
function done(summary, latency, requests)
   local e = summary.errors
   io.write(string.format(
      'RESULT {"rate":%.3f,"p50":%.4f,"p99":%.4f,"requests":%d,"refused":%d,"broken":%d}\n',
      summary.requests / (summary.duration / 1e6), latency:percentile(50) / 1000, latency:percentile(99) / 1000,
      summary.requests, e.status, e.connect + e.read + e.write + e.timeout))
end
