--- What a public address asks for: the scope it depends on, and the one spelling it is cached under.
-- Only plain addresses are read. Whatever is written in another way (escapes, doubled slashes, a
-- parameter twice or unknown) is left to the origin and never stored, because the origin might read
-- it in a way of its own.

local find, gmatch = string.find, string.gmatch
local re_match = ngx.re.match

local ROUTE = [[^(?:/api/fec2/[\w-]+)?/(?:products(?:/([1-9]\d{0,14})(?:/(styles|related))?)?|(reviews)(?:/(meta))?)/?(?:\?(.*))?$]]
local QUERY = [[^(?:[a-z_]+=[\w.~-]*(?:&(?!$)|$))*$]]
local ID = "^[1-9]%d?%d?%d?%d?%d?%d?%d?%d?%d?%d?%d?%d?%d?%d?$"

-- The parameters of each list, in the order in which they are spelled.
local PARAMETERS = {
    products = { "category", "count", "max_price", "min_price", "name", "page" },
    reviews = { "count", "page", "product_id", "sort" },
    meta = { "product_id" },
}
-- Votes change the list only.
local SCOPES = { reviews = "reviews:", meta = "reviews_meta:" }

--- The parameters in their fixed order, and their values by name; nil for what is not plain.
local function spelled(list, query)
    local given, count = {}, 0
    if query and query ~= "" then
        if not re_match(query, QUERY, "jo") then
            return nil
        end
        for name, value in gmatch(query, "([a-z_]+)=([^&]*)") do
            if given[name] then
                return nil
            end
            given[name], count = value, count + 1
        end
    end
    local text, known = "", 0
    for _, name in ipairs(PARAMETERS[list]) do
        local value = given[name]
        if value then
            text, known = text .. "&" .. name .. "=" .. value, known + 1
        end
    end
    if known ~= count then
        return nil
    end
    return text, given
end

local M = {}

--- Scope and spelling of a request line's address; nil where nothing may be stored.
function M.read(request_uri)
    local found = re_match(request_uri, ROUTE, "jo")
    if not found then
        return nil
    end
    local id = found[1]
    if id then
        -- The origin reads no parameter here.
        return "product:" .. id, "/products/" .. id .. "/" .. (found[2] or "")
    end
    if not found[3] then
        local text = spelled("products", found[5])
        return text and "catalogue", text and "/products" .. text
    end
    local list = found[4] or found[3]
    local text, given = spelled(list, found[5])
    if not text or not find(given.product_id or "", ID) then
        return nil
    end
    return SCOPES[list] .. given.product_id, "/" .. list .. text
end

return M
