--- What nginx answers by itself where it refuses a request or has nobody to ask, in the shape in which
-- the route answers errors: as atelier/core/exception_handler.py does for the instances.

local find, format, match = string.find, string.format, string.match

local FAILURE = "An error occurred. If this error persists, contact your instruction team."
local BUSY = "The service is busy. Try again shortly."
local UNANSWERED = "No answer came. It may have been done all the same: look before you try again."

-- By status: the title and the code of a problem, what is said, and what is said in its detail
-- where that is another sentence.
local REFUSALS = {
    [400] = { "Bad Request", "bad_request", "Bad request", "The request cannot be read." },
    [403] = { "Forbidden", "forbidden", "This is not allowed." },
    [404] = { "Not Found", "not_found", "There is nothing here." },
    [405] = { "Method Not Allowed", "method_not_allowed", "Method not allowed" },
    [411] = { "Length Required", "bad_request", "Length required" },
    [412] = { "Precondition Failed", "precondition_failed", "Precondition failed" },
    [413] = { "Request Entity Too Large", "too_large", "Request body too large" },
    [414] = { "Request-URI Too Long", "too_long", "Request address too long" },
    [416] = { "Requested Range Not Satisfiable", "no_such_range", "Requested range not satisfiable" },
    [429] = { "Too Many Requests", "throttled", "Too many requests" },
    [500] = { "Internal Server Error", "error", FAILURE },
    [501] = { "Not Implemented", "not_implemented", "Not implemented" },
    [502] = { "Bad Gateway", "unanswered", FAILURE, UNANSWERED },
    [503] = { "Service Unavailable", "unavailable", FAILURE, BUSY },
    [504] = { "Gateway Timeout", "unanswered", FAILURE, UNANSWERED },
    [505] = { "HTTP Version Not Supported", "bad_request", "HTTP version not supported" },
}
-- An address or header too long (494) is a bad request; instances that are away or late, a 503.
local SAME = { [494] = 400, [502] = 503, [504] = 503 }
-- What may not be sent twice.
local ONCE = { POST = true, PATCH = true }

local KEPT = { connection = true, ["content-range"] = true }
local JSON = "application/json; charset=utf-8"
-- Nothing in what is put in here needs an escape.
local SHAPES = {
    text = function(_, refusal)
        return "text/plain", refusal[3]
    end,
    accounts = function(_, refusal)
        return JSON, format('{"status":"error","message":"%s"}', refusal[3])
    end,
    profiles = function(_, refusal)
        return JSON, format('{"error":"%s"}', refusal[3])
    end,
    oauth = function(status, refusal)
        local is_later = status == 429 or status >= 500
        local code = is_later and "temporarily_unavailable" or "invalid_request"
        return "application/json", format('{"error": "%s", "error_description": "%s"}', code, refusal[3])
    end,
    problem = function(status, refusal)
        local title, code, said, detail = unpack(refusal)
        return "application/problem+json", format(
            '{"type":"about:blank","title":"%s","status":%d,"detail":"%s","code":"%s","request_id":"%s"}',
            title, status, detail or said, code, ngx.var.public_request_id)
    end,
}

local FILE = "GET, HEAD"
local READ = "GET, HEAD, OPTIONS"
local MADE = "GET, POST, HEAD, OPTIONS"
-- The first that fits: an address without its last slash; what it may be asked, as an instance says it;
-- the shape; methods whose errors are problems all the same.
local ROUTES = {
    { "^/login$", "POST, OPTIONS", "accounts" },
    { "^/user/[^/]+$", READ, "accounts" },
    { "^$", READ, "profiles" },
    { "^/_health$", READ, "profiles" },
    { "^/profiles$", MADE, "profiles", "GET HEAD PATCH" },
    { "^/profiles/_search$", "POST, OPTIONS", "profiles" },
    { "^/profiles/[^/]+$", "GET, PUT, PATCH, DELETE, HEAD, OPTIONS", "profiles", "GET HEAD PATCH" },
    { "^/profiles/[^/]+/_upload$", "PUT, OPTIONS", "profiles" },
    { "^/profiles/[^/]+/restore$", "POST, OPTIONS", "problem" },
    { "^/profiles/[^/]+/preferences$", READ, "problem" },
    { "^/profiles/[^/]+/preferences/[^/]+$", "GET, PUT, DELETE, HEAD, OPTIONS", "problem" },
    { "^/oauth/token$", "POST", "oauth" },
    { "^/oauth/revoke$", "POST", "oauth" },
    { "^/oauth/introspect$", "POST", "oauth" },
    { "^/oauth/authorize", MADE, "text" },
    { "^/products$", MADE, "text", "POST" },
    { "^/products/[^/]+$", "GET, PATCH, DELETE, HEAD, OPTIONS", "text", "PATCH DELETE" },
    { "^/products/[^/]+/features$", "PUT, OPTIONS", "text", "PUT" },
    { "^/products/[^/]+/related$", "GET, PUT, HEAD, OPTIONS", "text", "PUT" },
    { "^/products/[^/]+/styles$", MADE, "text", "POST" },
    { "^/products/[^/]+/styles/[^/]+$", "GET, PATCH, DELETE, HEAD, OPTIONS", "problem" },
    { "^/products", READ, "text" },
    { "^/reviews$", MADE, "text" },
    { "^/reviews/meta$", READ, "text" },
    { "^/reviews/[^/]+$", "PATCH, DELETE, OPTIONS", "text", "PATCH DELETE" },
    { "^/reviews", "PUT, OPTIONS", "text" },
    { "^/licensing/", READ, "problem" },
    { "^/admin", MADE, "text" },
    { "^/docs", FILE, "problem" },
    { "^/static", FILE, "text" },
    { "^/media", FILE, "text" },
    { "", FILE, "problem" },
}

-- What it may be asked, and the shape.
local function route_of(method, request_uri)
    local path = match(request_uri, "^[^?#]*")
    path = match(path, "^/api/fec2/[^/]+(/.*)$") or path
    path = match(path, "^(.*)/$") or path
    for _, route in ipairs(ROUTES) do
        local address, allowed, shape, problems = unpack(route, 1, 4)
        if find(path, address) then
            local is_problem = problems and find(problems, method, 1, true)
            return allowed, SHAPES[is_problem and "problem" or shape]
        end
    end
end

--- Whether an instance may have done what it did not answer, and would do it again.
local function is_uncertain(var)
    return ONCE[var.request_method] and SAME[ngx.status] == 503
        and find(var.upstream_connect_time or "", "%d$")
        and not find(var.uri, "^/profiles/_search")
end

local M = {}

--- The answer for the status that nginx is about to give.
function M.answer()
    local var, header = ngx.var, ngx.header
    local status = not is_uncertain(var) and SAME[ngx.status] or ngx.status
    local refusal = REFUSALS[status] or REFUSALS[500]
    -- Of a line that is too long, or that cannot be read, nginx knows the beginning at most.
    local method, address = match(var.request or "", "^(%u+) (/%S*)")
    local allowed, answered = route_of(
        var.request_method or method or "-", var.request_uri or address or "unknown"
    )
    local kind, body = answered(status, refusal)
    -- Of an answer that came to nothing, such as a file without the range that was asked for.
    for name in pairs(ngx.resp.get_headers()) do
        if not KEPT[name] then
            header[name] = nil
        end
    end
    if kind ~= "text/plain" then
        header["Cache-Control"] = "private, no-store"
    end
    header["Content-Type"] = kind
    header["Content-Length"] = #body
    if status == 405 then
        header["Allow"] = allowed
    elseif status == 429 then
        header["Retry-After"] = var.retry_after
    elseif status == 503 then
        header["Retry-After"] = "2"
    end
    ngx.status = status
    -- Left on the connection, it would be read as the next request.
    ngx.req.discard_body()
    ngx.print(body)
end

return M
