-- Strangers register, each with an address of their own. Argument: a word that no other run has.
dofile("bench/wrk/done.lua")

local threads = 0
function setup(thread)
   threads = threads + 1
   thread:set("thread_number", threads)
end

function init(args)
   run, number = args[1], 0
   wrk.method = "POST"
   wrk.headers["Content-Type"] = "application/json"
end

function request()
   number = number + 1
   return wrk.format(nil, nil, nil, string.format(
      '{"first_name":"New","last_name":"Person","email":"new-%s-%d-%d@example.org","phone":"+12025550123",' ..
      '"country_code":"US","password":"walnut-Harbor-31-violin"}', run, thread_number, number))
end
