-- Profile reads of several people, in turn. Argument: a file with their access tokens, one a line.
dofile("bench/wrk/done.lua")

function init(args)
   requests, turn = {}, 0
   for token in io.lines(args[1]) do
      wrk.headers["Authorization"] = "Bearer " .. token
      table.insert(requests, wrk.format("GET"))
   end
end

function request()
   turn = turn % #requests + 1
   return requests[turn]
end
