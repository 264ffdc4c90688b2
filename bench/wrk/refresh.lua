-- Each connection is a thread and a session of its own, and exchanges its refresh token for the next one, again and
-- again. Argument: a file with refresh tokens, one a line, at least as many as there are threads.
dofile("bench/wrk/done.lua")

local threads = 0
function setup(thread)
   threads = threads + 1
   thread:set("session", threads)
end

function init(args)
   local line = 0
   for text in io.lines(args[1]) do
      line = line + 1
      if line == session then token = text end
   end
   wrk.method = "POST"
   wrk.headers["Content-Type"] = "application/x-www-form-urlencoded"
end

function request()
   return wrk.format(nil, nil, nil, "grant_type=refresh_token&refresh_token=" .. token)
end

function response(status, headers, body)
   token = body:match('"refresh_token":"([^"]+)"') or token
end
