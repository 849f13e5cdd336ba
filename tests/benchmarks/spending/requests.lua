-- What wrk sends to /api/v1/spends, or /api/v1/spends/batch where a batch is larger than 0.
-- Arguments: a file of "key" or "key organization" lines, 23 characters that no other run begins
-- its idempotency keys with, spends per batch. At the end one line of JSON says how it went.
local callers, threads, start, batch = {}, {}, nil, 0
sent = 0

function setup(thread)
   threads[#threads + 1] = thread
end

function init(args)
   for line in io.lines(args[1]) do
      local key, organization = line:match("^(%S+) ?(%S*)$")
      local named = organization == "" and "" or ', "organization": "' .. organization .. '"'
      callers[#callers + 1] = {key, '{"action": "alt-text.generate"' .. named}
   end
   start, batch = args[2], tonumber(args[3])
   math.randomseed(os.time())
end

local made = 0

local function new_key()
   made = made + 1
   return string.format("%s-%012d", start, made)
end

-- As a proxy in front hands it on: HTTPS ends there.
local function post(path, caller, headers, body)
   return "POST " .. path .. " HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer " .. caller[1]
      .. "\r\nContent-Type: application/json\r\nX-Forwarded-Proto: https\r\n"
      .. "X-Forwarded-For: 203.0.113.7\r\n" .. headers
      .. "Content-Length: " .. #body .. "\r\n\r\n" .. body
end

function request()
   sent = sent + 1
   local caller = callers[math.random(#callers)]
   if batch == 0 then
      local header = "Idempotency-Key: " .. new_key() .. "\r\n"
      return post("/api/v1/spends", caller, header, caller[2] .. "}")
   end
   local items = {}
   for i = 1, batch do
      local one = callers[math.random(#callers)]
      items[i] = one[2] .. ', "idempotency_key": "' .. new_key() .. '"}'
   end
   return post(
      "/api/v1/spends/batch", caller, "", '{"spends": [' .. table.concat(items, ", ") .. "]}")
end

function done(summary, latency, requests)
   local asked = 0
   for _, thread in ipairs(threads) do
      asked = asked + thread:get("sent")
   end
   local errors = summary.errors
   io.write(string.format(
      '\n{"sent": %d, "answered": %d, "above_399": %d, "broken": %d, "seconds": %f, '
      .. '"p50_ms": %f, "p99_ms": %f}\n',
      asked, summary.requests, errors.status,
      errors.connect + errors.read + errors.write + errors.timeout, summary.duration / 1e6,
      latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
