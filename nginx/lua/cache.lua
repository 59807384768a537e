--- Which stored answer a request may have: docs/caching.md describes the protocol.

local address = require "address"
local lrucache = require "resty.lrucache"
local tags = require "tags"

local lower = string.lower
local get_method, sleep, time, update_time = ngx.req.get_method, ngx.sleep, ngx.time, ngx.update_time
local fills, counts = ngx.shared.fills, ngx.shared.answer_counts

local DEGRADED = "DEGRADED-"
local KNOWN_KEYS, KNOWN_ADDRESSES, LONGEST_KNOWN = 20000, 10000, 200
local FILL_SECONDS, WAIT_SECONDS, PAUSE_SECONDS = 5, 1, 0.002
-- What `fills` says of a key: somebody asks the origin, or its answer turned out not to be stored.
local ASKED, UNSTORED, UNSTORED_SECONDS = 1, 2, 1

local M = {}

-- Keys that this worker has seen stored. Only a hint: who trusts a wrong one meets nginx's own lock.
local known = lrucache.new(KNOWN_KEYS)
-- What request lines ask for, as read before.
local places = lrucache.new(KNOWN_ADDRESSES)
local keep_seconds

--- `redis` as `tags.configure` takes it; `keep_seconds`, the lifetime of an answer.
function M.configure(settings)
    tags.configure(settings.redis)
    keep_seconds = settings.keep_seconds
end

--- Let one request of this machine ask the origin, and the others wait for its answer; false where
-- there is none to wait for, since it is not stored.
-- `proxy_cache_lock` does that too, but looks only every 500 ms whether the answer has come, and lets
-- those who wait for what is never stored through one by one.
local function await(var, key)
    if known:get(key) then
        return true
    end
    if fills:add(key, ASKED, FILL_SECONDS) then
        var.cache_fill = key
        return true
    end
    for _ = 1, WAIT_SECONDS / PAUSE_SECONDS do
        local state = fills:get(key)
        if state ~= ASKED then
            return state ~= UNSTORED
        end
        sleep(PAUSE_SECONDS)
    end
    return true
end

local function place_of(request_uri)
    local place = places:get(request_uri)
    if not place then
        local scope, spelling = address.read(request_uri)
        place = { scope = scope, spelling = spelling }
        if #request_uri <= LONGEST_KNOWN then
            places:set(request_uri, place)
        end
    end
    return place
end

--- Sets the key of a request that may be answered from the cache; others keep bypassing it.
function M.access()
    local method = get_method()
    if method ~= "GET" and method ~= "HEAD" then
        return
    end
    local var = ngx.var
    local place = place_of(var.request_uri)
    local scope = place.scope
    if not scope then
        return
    end
    local trusted, epoch, tag = tags.of(scope)
    if epoch == tags.hidden then
        return
    end
    -- The name that the instances are told, which need not be the one in the request line.
    local key = lower(var.http_host or "") .. place.spelling .. " " .. (epoch or "-") .. " " .. (tag or "-")
    if not trusted then
        update_time()
        key = key .. " " .. time()
    end
    if await(var, key) then
        if not trusted then
            var.cache_prefix = DEGRADED
        end
        var.cache_scope = scope
        var.cache_key = key
    end
end

--- Counts the answer, and tells those who wait for it.
function M.log()
    local var = ngx.var
    local status = var.public_cache_status
    if status ~= "" then
        counts:incr(status, 1, 0)
    end
    local key = var.cache_fill
    if key ~= "" then
        if var.upstream_cache_status == "HIT" or var.upstream_http_x_accel_expires then
            known:set(key, true, keep_seconds)
            fills:delete(key)
        else
            fills:set(key, UNSTORED, UNSTORED_SECONDS)
        end
    end
end

--- The counters in Prometheus' text format.
function M.metrics()
    ngx.header["Content-Type"] = "text/plain; version=0.0.4"
    ngx.say("# HELP atelier_cache_answers_total Answers on cached routes, by X-Cache-Status.")
    ngx.say("# TYPE atelier_cache_answers_total counter")
    for _, status in ipairs(counts:get_keys()) do
        ngx.say('atelier_cache_answers_total{status="', status, '"} ', counts:get(status))
    end
end

return M
