//! What Redis decides in one step. Every script carries the generation in its text and asks for its key: a server that was
//! restarted, a replica that took over, or another server altogether has never heard of it, and is not believed.

use redis::Script;

/// The scripts of one generation.
#[derive(Clone)]
pub struct Scripts {
    pub look: Script,
    pub fill: Script,
    pub bury: Script,
    pub absent: Script,
    pub add: Script,
    pub begin: Script,
    pub finish: Script,
}

impl Scripts {
    pub fn of(generation: &str) -> Self {
        let of = |code: &str| {
            // with its first line a replica refuses to run it
            Script::new(&format!(
                "#!lua\n-- {generation}\nif redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end\n{code}"
            ))
        };
        Self {
            look: of(LOOK),
            fill: of(FILL),
            bury: of(BURY),
            absent: of(ABSENT),
            add: of(ADD),
            begin: of(BEGIN),
            finish: of(FINISH),
        }
    }

    pub fn all(&self) -> [&Script; 7] {
        [&self.look, &self.fill, &self.bury, &self.absent, &self.add, &self.begin, &self.finish]
    }
}

/// For each place 1: nothing there that counts, and the lease is taken: who holds it may fill. 2: ask the store, and leave
/// it. 3: the copy that whoever asks has. Else the value. A place comes with its lease, the nonce of a copy that is known,
/// and the bits of a session, in the filters of the day and the day before: what has ended is remembered there.
const LOOK: &str = "
local header, filter, life = ARGV[2], ARGV[3], ARGV[4]
local function ended(first, bits)
    if bits == 0 then return false end
    local day = math.floor(redis.call('TIME')[1] / 86400)
    for back = 0, 1 do
        local of_day, set = filter .. string.format('%d', day - back), true
        for i = first, first + bits - 1 do
            if redis.call('GETBIT', of_day, ARGV[i]) == 0 then set = false; break end
        end
        if set then return true end
    end
    return false
end
local found, at = {}, 5
for k = 2, #KEYS do
    local known, bits = ARGV[at + 1], tonumber(ARGV[at + 2])
    if known ~= '' and redis.call('GETRANGE', KEYS[k], 0, #header + #known - 1) == header .. known then
        found[k - 1] = ended(at + 3, bits) and 2 or 3
    else
        local value = redis.call('GET', KEYS[k])
        local copy = value and string.sub(value, 1, 1) == 'C'
        if not value or (copy and string.sub(value, 1, #header) ~= header) then
            redis.call('SET', KEYS[k], ARGV[at], 'PX', life)
            found[k - 1] = 1
        elseif not copy or ended(at + 3, bits) then
            found[k - 1] = 2
        else
            found[k - 1] = value
        end
    end
    at = at + 3 + bits
end
return found";

/// Keeps a value if the lease is still there: any change of the record takes it away.
const FILL: &str = "
if redis.call('GET', KEYS[2]) ~= ARGV[2] then return 0 end
redis.call('SET', KEYS[2], ARGV[3], 'PX', ARGV[4])
return 1";

/// Marks records as changed: copies and leases go, and for a while nobody fills. Ended sessions are remembered besides.
const BURY: &str = "
for i = 2, #KEYS do redis.call('SET', KEYS[i], '', 'PX', ARGV[2]) end
if #ARGV > 3 then
    local filter = ARGV[3] .. string.format('%d', math.floor(redis.call('TIME')[1] / 86400))
    for i = 4, #ARGV do redis.call('SETBIT', filter, ARGV[i], 1) end
    redis.call('EXPIRE', filter, 172800)
end
return 1";

/// The generation's key, on the server that is asked.
pub const CLAIM: &str = "redis.call('SET', KEYS[1], ARGV[1]) return 1";

/// 1 if a filter is whole and of these times and some bit of the member is not set: certainly absent. The bit behind the
/// last says that the filter itself is still there.
const ABSENT: &str = "
if redis.call('GET', KEYS[2]) ~= ARGV[2] then return 0 end
local name = redis.call('GET', KEYS[3])
if not name then return 0 end
local bits = tonumber(string.match(name, ':(%d+)$'))
if redis.call('GETBIT', name, bits) == 0 then return 0 end
for i = 0, tonumber(ARGV[3]) - 1 do
    if redis.call('GETBIT', name, (tonumber(ARGV[4]) + i * tonumber(ARGV[5])) % bits) == 0 then return 1 end
end
return 0";

/// Adds members to the filters that the keys name, as far as there are any. The numbers are small enough for Lua's.
const ADD: &str = "
for k = 2, #KEYS do
    local name = redis.call('GET', KEYS[k])
    local bits = name and tonumber(string.match(name, ':(%d+)$'))
    if bits and redis.call('GETBIT', name, bits) == 1 then
        for m = 3, #ARGV, 2 do
            for i = 0, tonumber(ARGV[2]) - 1 do
                redis.call('SETBIT', name, (tonumber(ARGV[m]) + i * tonumber(ARGV[m + 1])) % bits, 1)
            end
        end
    end
end
return 1";

/// An empty filter that everyone adds to from now on, unless there is a good one or someone builds one.
const BEGIN: &str = "
if redis.call('GET', KEYS[2]) == ARGV[2] then return 0 end
local name = ARGV[3]
if not redis.call('SET', KEYS[4], name, 'NX', 'EX', ARGV[4]) then return 0 end
redis.call('SETBIT', name, tonumber(string.match(name, ':(%d+)$')), 1)
redis.call('EXPIRE', name, 172800)
redis.call('SET', KEYS[3], name)
return 1";

/// The filter that was built takes the place of the one before, if it is the one that everyone added to.
const FINISH: &str = "
local name = ARGV[3]
local bits = tonumber(string.match(name, ':(%d+)$'))
if redis.call('GET', KEYS[4]) ~= name or redis.call('GETBIT', name, bits) == 0 then
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
