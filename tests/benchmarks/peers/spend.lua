-- Requests of one contender: a random wallet and a new key each, in its headers and its body.
--     wrk -s spend.lua http://127.0.0.1:8000 -- wallets.txt path body "Name: value" ...

local threads = {}

function setup(thread)
   thread:set("number", #threads)
   table.insert(threads, thread)
end

function init(arguments)
   wallets, headers, made = {}, {}, 0
   for line in io.lines(arguments[1]) do wallets[#wallets + 1] = line end
   path, body = arguments[2], arguments[3]
   for i = 4, #arguments do
      local name, value = arguments[i]:match("^(.-): (.*)$")
      headers[name] = value
   end
   math.randomseed(os.time() + number)
   start = string.format("%x-%x-", os.time(), number)
end

local function filled(text, wallet)
   return (text:gsub("{wallet}", wallet):gsub("{key}", start .. made))
end

function request()
   made = made + 1
   local wallet = wallets[math.random(#wallets)]
   local own = {["Content-Type"] = "application/json"}
   for name, value in pairs(headers) do own[name] = filled(value, wallet) end
   return wrk.format("POST", path, own, filled(body, wallet))
end

function done(summary, latency)
   local errors = summary.errors
   io.write(string.format(
      '\n{"answers": %d, "seconds": %f, "refused": %d, "broken": %d, "p50_ms": %f, "p99_ms": %f}\n',
      summary.requests, summary.duration / 1e6, errors.status,
      errors.connect + errors.read + errors.write + errors.timeout,
      latency:percentile(50) / 1e3, latency:percentile(99) / 1e3
   ))
end
