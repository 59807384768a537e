-- wrk's requests: a route of a drawn product's page, or a vote on one of its reviews.
-- Settings come from the environment: see load.py.

local ffi = require("ffi")
local exp, floor, log, random = math.exp, math.floor, math.log, math.random
local getenv = os.getenv

local TEMPLATES = {
    detail = { "/products/", "" },
    styles = { "/products/", "/styles" },
    related = { "/products/", "/related" },
    reviews = { "/reviews?product_id=", "" },
    meta = { "/reviews/meta?product_id=", "" },
}
local TAIL = " HTTP/1.1\r\nHost: localhost\r\n\r\n"
local LOG_2 = log(2)

local threads = {}

function setup(thread)
    thread:set("number", #threads + 1)
    threads[#threads + 1] = thread
end

local function ids(path)
    local file = assert(io.open(path, "rb"))
    local bytes = file:read("*a")
    file:close()
    -- The bytes are answered too, so that they are not collected.
    return ffi.cast("const int32_t *", bytes), #bytes / 4, bytes
end

-- Ranks from 1 by Zipf's law with s = 1, without a table: floor((n + 1) ^ u) has the chance
-- log(1 + 1/k) / log(n + 1); keeping it with the chance log 2 / (k log(1 + 1/k)) leaves 1/k.
local function zipf(count)
    local span = log(count + 1)
    return function()
        while true do
            local k = floor(exp(random() * span))
            if random() * k * log(1 + 1 / k) < LOG_2 then
                return k
            end
        end
    end
end

local function uniform(count)
    return function()
        return random(count)
    end
end

function init()
    local products, count, kept_products = ids(getenv("PRODUCT_IDS"))
    local reviews, _, kept_reviews = ids(getenv("REVIEW_IDS"))
    kept = { kept_products, kept_reviews }
    count = math.min(count, tonumber(getenv("LOAD_PRODUCTS")))
    local rank = getenv("LOAD_DRAW") == "zipf" and zipf(count) or uniform(count)
    local write_share = tonumber(getenv("LOAD_WRITES"))
    local heads, tails, routes = {}, {}, 0
    for route in getenv("LOAD_ROUTES"):gmatch("%a+") do
        routes = routes + 1
        heads[routes] = "GET " .. TEMPLATES[route][1]
        tails[routes] = TEMPLATES[route][2] .. TAIL
    end
    local visitor = "/helpful HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nUser-Agent: "
        .. getenv("LOAD_NONCE") .. "-" .. number .. "-"
    writes = 0
    math.randomseed(tonumber(getenv("LOAD_SEED")) * 1000 + number)

    local function vote()
        local review
        repeat
            review = reviews[rank() - 1]
        until review ~= 0
        writes = writes + 1
        return "PUT /reviews/" .. review .. visitor .. writes .. "\r\n\r\n"
    end

    request = function()
        if random() < write_share then
            return vote()
        end
        local route = random(routes)
        return heads[route] .. products[rank() - 1] .. tails[route]
    end
end

function done(summary, latency)
    local sent = 0
    for _, thread in ipairs(threads) do
        sent = sent + thread:get("writes")
    end
    local errors = summary.errors
    local file = assert(io.open(getenv("LOAD_RESULT"), "w"))
    file:write(string.format(
        '{"requests": %d, "seconds": %f, "writes": %d, "p50": %f, "p95": %f, "p99": %f, '
            .. '"refused": %d, "broken": %d, "dropped": 0}\n',
        summary.requests, summary.duration / 1e6, sent,
        latency:percentile(50) / 1e3, latency:percentile(95) / 1e3, latency:percentile(99) / 1e3,
        errors.status, errors.connect + errors.read + errors.write + errors.timeout))
    file:close()
end
