--- Tags of cache scopes, read from Redis for each request: docs/caching.md describes the protocol.
-- Requests of a worker that wait at the same time share one MGET. It is always sent after each of
-- them arrived, so sharing makes no answer older.

local redis = require "nginx.redis"
local semaphore = require "ngx.semaphore"

local now, null = ngx.now, ngx.null
local match, sub = string.match, string.sub

-- A busy machine may keep Redis waiting for a core; giving up early would add to the load, since
-- degraded answers are rarely hits.
local TIMEOUT_MS = 200
-- Long enough for the round before, and one's own.
local PATIENCE_SECONDS = 0.5
-- Longer than a round can take: nobody else leads before, so `run` is always that of the newest
-- connection.
local LEAD_SECONDS = 2
local IDLE_MS, POOL_SIZE = 60000, 16
local ERRORS_TO_OPEN, OPEN_SECONDS = 3, 1
-- Beyond this much of Redis's memory no tags of look-ups are made: those of public answers need it.
local FULL, MEMORY_KNOWN_SECONDS = 0.75, 1
-- How the keys of look-ups begin, as the cache `lookup` of the instances' settings spells them.
local LOOKUP = "lookup:1:"

-- What stands for tags under which nothing is stored: a writer is about to commit, or the answers
-- depend on who asks.
local M = { hidden = "hidden" }
local RESTRICTED = "restricted"

local settings
-- The run of the Redis server at the other end of this worker's newest connection.
local run
local collecting
local leading_since
local errors, open_until = 0, 0
local has_room, room_known_until = true, 0

--- `host`, and `port` unless the host is a Unix socket; `database`, `username`, `password`;
-- `tag_ms` and `lookup_ms`, how long a tag of a public answer and one of a look-up live that nobody
-- changes.
function M.configure(given)
    settings = given
end

local function connect()
    local client = redis:new()
    client:set_timeout(TIMEOUT_MS)
    local ok, err = client:connect(settings.host, settings.port)
    if not ok then
        return nil, err
    end
    if client:get_reused_times() > 0 then
        return client
    end
    if settings.password then
        ok, err = client:auth(unpack(settings.username and { settings.username, settings.password }
            or { settings.password }))
        if not ok then
            return nil, err
        end
    end
    if settings.database ~= 0 then
        ok, err = client:select(settings.database)
        if not ok then
            return nil, err
        end
    end
    local info
    info, err = client:info("server")
    if not info then
        return nil, err
    end
    run = match(info, "run_id:(%x+)")
    return client
end

--- Whether Redis is less than three quarters full, as of a second ago at most.
local function is_roomy(client)
    if now() >= room_known_until then
        local info, err = client:info("memory")
        if not info then
            return nil, err
        end
        local used, most = match(info, "used_memory:(%d+)"), tonumber(match(info, "maxmemory:(%d+)"))
        has_room = most == 0 or tonumber(used) < FULL * most
        room_known_until = now() + MEMORY_KNOWN_SECONDS
    end
    return has_room
end

--- Give each missing tag a value that was never used before. Whoever comes first decides it.
local function mint(client, batch, values)
    local keys, missing = batch.keys, {}
    for position in pairs(batch.lifetimes) do
        if values[position] == null and (not batch.lookups[position] or is_roomy(client)) then
            missing[#missing + 1] = position
        end
    end
    if #missing == 0 then
        return values
    end
    local nonce = ngx.var.request_id
    client:init_pipeline()
    for _, position in ipairs(missing) do
        local lifetime = batch.lifetimes[position]
        client:set(keys[position], nonce .. "." .. position, "PX", lifetime, "NX")
    end
    client:mget(unpack(keys))
    local replies, err = client:commit_pipeline()
    local again = replies and replies[#replies]
    -- A reply {false, message} is an error of Redis, such as one that is out of memory.
    if not again or again[1] == false then
        return nil, err or (again and again[2])
    end
    return again
end

local function ask(batch)
    local client, err = connect()
    if not client then
        return nil, err
    end
    local values
    values, err = client:mget(unpack(batch.keys))
    if not values then
        return nil, err
    end
    if run and values[1] == run then
        values, err = mint(client, batch, values)
        if not values then
            return nil, err
        end
    end
    client:set_keepalive(IDLE_MS, POOL_SIZE)
    return values, values[1] == run and run ~= nil
end

--- One round for everybody in the batch. Errors count once a round.
local function lead(batch)
    leading_since = now()
    batch.taken, collecting = true, nil
    local ran, values, trusted = pcall(ask, batch)
    if ran and values then
        batch.values, batch.trusted, errors = values, trusted, 0
    else
        errors = errors + 1
        if errors >= ERRORS_TO_OPEN then
            open_until = now() + OPEN_SECONDS
        end
        ngx.log(ngx.WARN, "cache tags cannot be read: ", ran and trusted or values)
    end
    batch.done = true
    leading_since = nil
    if batch.followers > 0 then
        batch.semaphore:post(batch.followers)
    end
    if collecting and collecting.followers > 0 then
        collecting.semaphore:post(1)
    end
end

local function join(key, lifetime)
    local batch = collecting
    if not batch then
        batch = { keys = { "alive", "tag:epoch" }, positions = {}, followers = 0 }
        -- By position: of those that are made where they are missing, and which of them need room.
        batch.lifetimes, batch.lookups = { [2] = settings.tag_ms }, {}
        batch.semaphore = semaphore.new()
        collecting = batch
    end
    local position = batch.positions[key]
    if not position then
        position = #batch.keys + 1
        batch.keys[position], batch.positions[key] = key, position
    end
    batch.lifetimes[position] = batch.lifetimes[position] or lifetime or nil
    return batch, position
end

--- A leader that never came back must not hold up everybody.
local function is_led()
    return leading_since and now() - leading_since < LEAD_SECONDS
end

--- Whether Redis is known to be away. One request a second tries again, and the others go on.
local function is_open()
    return errors >= ERRORS_TO_OPEN and (now() < open_until or is_led())
end

--- Lead the batch where nobody leads, else wait for whoever does.
local function await(batch)
    while not batch.done do
        if batch.taken or is_led() then
            batch.followers = batch.followers + 1
            local woken = batch.semaphore:wait(PATIENCE_SECONDS)
            batch.followers = batch.followers - 1
            if not woken then
                return
            end
        else
            lead(batch)
        end
    end
end

local function present(value)
    return value and value ~= null and value or nil
end

local function is_hidden(tag)
    return tag and (tag == RESTRICTED or sub(tag, 1, 2) == "T:")
end

--- What a batch says of one scope: see `M.of`.
local function read(batch, position)
    local values = batch.values
    if not values then
        return false
    end
    local epoch, tag = present(values[2]), present(values[position])
    if is_hidden(epoch) or is_hidden(tag) then
        return batch.trusted, M.hidden
    end
    return batch.trusted and epoch ~= nil and tag ~= nil, epoch, tag
end

--- `trusted`, and the tags of `epoch` and of the scope.
-- Trusted tags are both there, or `M.hidden` for the first where one of them forbids storing. Others
-- may be nil; without Redis both are.
function M.of(scope)
    if is_open() then
        return false
    end
    local batch, position = join("tag:" .. scope, settings.tag_ms)
    await(batch)
    return read(batch, position)
end

--- What is stored of a look-up, nil where nothing is, and the two tags as of the same moment; false
-- for the tags where nothing may be stored or believed. A missing tag is made for whom it `may_make`
-- one: strangers must not fill Redis.
function M.look_up(scope, may_make)
    if is_open() then
        return nil, false
    end
    local batch, position = join("tag:" .. scope, may_make and settings.lookup_ms)
    local _, place = join(LOOKUP .. scope)
    batch.lookups[position] = true
    await(batch)
    local trusted, epoch, tag = read(batch, position)
    if not trusted or epoch == M.hidden then
        return nil, false
    end
    return present(batch.values[place]), epoch .. " " .. tag
end

return M
