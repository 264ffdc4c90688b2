//! What Redis decides in one step. Scripts that answer for the store carry the generation in their text: a server that
//! was restarted, or a replica that took over, has never heard of them, so that nothing from before is believed.

use redis::Script;

/// The scripts of one generation.
#[derive(Clone)]
pub struct Scripts {
    pub look: Script,
    pub fill: Script,
    pub absent: Script,
    pub finish: Script,
}

impl Scripts {
    pub fn of(generation: &str) -> Self {
        let of = |code: &str| Script::new(&format!("-- {generation}\n{code}"));
        Self { look: of(LOOK), fill: of(FILL), absent: of(ABSENT), finish: of(FINISH) }
    }

    pub fn all(&self) -> [&Script; 4] {
        [&self.look, &self.fill, &self.absent, &self.finish]
    }
}

/// 0: another generation. 1: nothing there, and it may be filled. 2: ask the store, and leave it. Else the value.
const LOOK: &str = "
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
local value = redis.call('GET', KEYS[2])
if not value then return 1 end
if value == '' then return 2 end
if #ARGV > 2 then
    local day = math.floor(redis.call('TIME')[1] / 86400)
    for back = 0, 1 do
        local filter, set = ARGV[2] .. string.format('%d', day - back), true
        for i = 3, #ARGV do
            if redis.call('GETBIT', filter, ARGV[i]) == 0 then set = false; break end
        end
        if set then return 2 end
    end
end
return value";

/// Keeps a value unless the record was changed a moment ago, or everything was forgotten since it was looked for.
const FILL: &str = "
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if redis.call('GET', KEYS[2]) == '' then return 0 end
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
return 1";

/// Marks records as changed: for so long they are neither answered nor filled. Ended sessions are remembered besides.
pub const BURY: &str = "
for i = 1, #KEYS do redis.call('SET', KEYS[i], '', 'PX', ARGV[1]) end
if #ARGV > 2 then
    local filter = ARGV[2] .. string.format('%d', math.floor(redis.call('TIME')[1] / 86400))
    for i = 3, #ARGV do redis.call('SETBIT', filter, ARGV[i], 1) end
    redis.call('EXPIRE', filter, 172800)
end
return 1";

/// A generation in the place of the one that was seen; answers with the one that counts now.
pub const SUCCEED: &str = "
local found = redis.call('GET', KEYS[1])
if (found or '') ~= ARGV[1] then return found end
redis.call('SET', KEYS[1], ARGV[2])
return ARGV[2]";

/// 1 if a filter is whole and of these times and some bit of the member is not set: certainly absent.
const ABSENT: &str = "
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if redis.call('GET', KEYS[2]) ~= ARGV[2] then return 0 end
local name = redis.call('GET', KEYS[3])
if not name then return 0 end
local bits = tonumber(string.match(name, ':(%d+)$'))
for i = 0, tonumber(ARGV[3]) - 1 do
    if redis.call('GETBIT', name, (tonumber(ARGV[4]) + i * tonumber(ARGV[5])) % bits) == 0 then return 1 end
end
return 0";

/// Adds members to the filters that the keys name, as far as there are any. The numbers are small enough for Lua's.
pub const ADD: &str = "
for k = 1, #KEYS do
    local name = redis.call('GET', KEYS[k])
    if name then
        local bits = tonumber(string.match(name, ':(%d+)$'))
        for m = 2, #ARGV, 2 do
            for i = 0, tonumber(ARGV[1]) - 1 do
                redis.call('SETBIT', name, (tonumber(ARGV[m]) + i * tonumber(ARGV[m + 1])) % bits, 1)
            end
        end
    end
end
return 1";

/// The filter that was built takes the place of the one before, unless someone else is building, or all was forgotten.
const FINISH: &str = "
local name = ARGV[3]
if redis.call('GET', KEYS[1]) ~= ARGV[1] or redis.call('GET', KEYS[4]) ~= name then
    redis.call('DEL', name)
    return 0
end
local before = redis.call('GET', KEYS[3])
redis.call('SET', KEYS[3], name)
redis.call('PERSIST', name)
redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[4])
redis.call('DEL', KEYS[4])
if before and before ~= name then redis.call('DEL', before) end
return 1";
