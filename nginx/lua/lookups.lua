--- Look-ups that the instances have stored in Redis, for callers whom one of them has just admitted:
-- docs/caching.md describes how. Nothing is decided here: an instance says for how long, how often
-- and as what reader a token may be answered, and whatever is not stored is asked of it.

local tags = require "tags"

local floor, max, min, match, sub = math.floor, math.max, math.min, string.match, string.sub
local get_headers, get_method = ngx.req.get_headers, ngx.req.get_method
local now, re_match, sleep = ngx.now, ngx.re.match, ngx.sleep
local permits = ngx.shared.permits

-- What is looked up, by the name that a location gives: its address, its scope, and what stands
-- around the stored value in the answer.
local ROUTES = {
    accounts = {
        address = [[^/user/([1-9]\d{0,14})/?$]],
        scope = "user:",
        before = '{"status":"cache get success","data":[',
        after = "]}",
    },
    profiles = {
        address = [[^/profiles/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/?$]],
        scope = "user_profile:",
        before = "",
        after = "",
    },
}
-- How long one request may take to bring a permit before another one asks for it, and how long none
-- does after one was refused: then the instances are asked for the answers themselves.
local ASKED_SECONDS, REFUSED_SECONDS = 0.2, 0.05
-- A permit is asked for anew while it holds for less than this, or for less than half as many.
local RENEWED_SECONDS, RENEWED_PART = 0.3, 0.5
-- No permit holds longer, whatever the instances' clocks say.
local LONGEST_SECONDS = 0.9
local WAIT_SECONDS, PAUSE_SECONDS = 0.2, 0.002
local LONGEST_CALLER = 500

local M = {}

local function answer(body)
    local header = ngx.header
    header["Content-Type"] = "application/json; charset=utf-8"
    header["Cache-Control"] = "private, no-store"
    header["Content-Length"] = #body
    ngx.status = 200
    ngx.print(body)
    return ngx.exit(200)
end

--- Whether nginx would read the request in a way of its own: it judges these conditions itself, which
-- the instances do not look at (a 412 in the middle of an answer from Lua ends the worker), and sees
-- the first `ntenant` only, where the instances see all of them.
local function is_odd(var)
    return var.http_if_match or var.http_if_none_match or var.http_if_unmodified_since
        or (var.http_ntenant and type(get_headers(0).ntenant) == "table")
end

--- Let this request bring the caller's next permit; false where another one does.
local function ask(var, caller)
    if not permits:add(caller .. "\nasked", true, ASKED_SECONDS) then
        return false
    end
    var.cache_permit = max(permits:get(caller .. "\nleft") or 0, 0)
    ngx.ctx.caller = caller
    return true
end

--- As what reader the caller may be answered now, which counts; nil where an instance is to say.
local function admit(var, caller)
    for _ = 1, WAIT_SECONDS / PAUSE_SECONDS do
        local permit = permits:get(caller)
        -- Not below zero: whoever waits would use up what is still to come.
        local left = permit and permits:get(caller .. "\nleft")
        left = left and left > 0 and permits:incr(caller .. "\nleft", -1)
        if left and left >= 0 then
            local number, reader = match(permit, "^(%d+) (%S+)$")
            -- It may have ended since it was read.
            local seconds = permits:ttl(caller) or 0
            if left > number * RENEWED_PART and seconds > RENEWED_SECONDS then
                return reader
            end
            return not ask(var, caller) and reader or nil
        end
        if ask(var, caller) or permits:get(caller .. "\nasked") == false then
            return nil
        end
        sleep(PAUSE_SECONDS)
    end
end

--- Answers what is stored where the caller may see it; sends on what it has found out otherwise.
function M.access(name)
    local var, route = ngx.var, ROUTES[name]
    local id = get_method() == "GET" and re_match(var.request_uri, route.address, "jo")
    local credentials = id and var.http_authorization
    if not credentials or is_odd(var) then
        return
    end
    local caller = name .. "\n" .. (var.http_ntenant or "") .. "\n" .. credentials
    if #caller > LONGEST_CALLER then
        return
    end
    local scope = route.scope .. id[1]
    local value, current = tags.look_up(scope, permits:get(caller) ~= nil)
    if not current then
        return
    end
    -- What is stored from before a write is not worth a permit.
    if value and sub(value, 1, #current + 1) == current .. " " then
        local reader = admit(var, caller)
        local head = reader and current .. " " .. reader .. "\n"
        if head and sub(value, 1, #head) == head then
            return answer(route.before .. sub(value, #head + 1) .. route.after)
        end
    else
        var.cache_scope, var.cache_tags = scope, current
    end
end

--- Seconds until just before a Unix time: a dictionary counts in milliseconds, the last one included.
local function remaining(ends)
    return (floor(1000 * min(tonumber(ends) - now(), LONGEST_SECONDS)) - 1) / 1000
end

--- Keeps the permit that an instance gives with its answer.
function M.header_filter()
    local caller = ngx.ctx.caller
    if not caller then
        return
    end
    local asked = caller .. "\nasked"
    local given = ngx.var.upstream_http_x_accel_permit or ""
    local trusted, counted, number, reader = match(given, "^(%d+%.%d+) (%d+%.%d+) (%d+) (%S+)$")
    if not trusted then
        permits:set(asked, false, REFUSED_SECONDS)
        return
    end
    local trust, count = remaining(trusted), remaining(counted)
    if trust > 0 and count > 0 then
        -- On top of what is left of the same second.
        local left = permits:incr(caller .. "\nleft", tonumber(number), 0, count)
        permits:set(caller, (left or 0) .. " " .. reader, trust)
    end
    permits:delete(asked)
end

return M
