-- Made-up users log in, in turn. Arguments: how many there are, their password.
dofile("bench/wrk/done.lua")

local threads = 0
function setup(thread)
   thread:set("offset", threads * 37)
   threads = threads + 1
end

function init(args)
   users, password, number = tonumber(args[1]), args[2], offset
   wrk.method = "POST"
   wrk.headers["Content-Type"] = "application/x-www-form-urlencoded"
end

function request()
   -- a step that meets every user before the first one comes again
   number = (number + 7) % users
   return wrk.format(nil, nil, nil, "username=fake-" .. (number + 1) .. "@example.org&password=" .. password)
end
