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

/// The name of the last change, and for each place 1: nothing there that counts, and the lease is taken: who holds it may
/// fill. 2: ask the store, and leave it. 3: the copy that whoever asks has. 4: it was there when the last change was made,
/// and so it is now. Else the value. A place comes with the change that a copy was seen after, the copy's nonce, and the
/// bits of a session in the filters of the day and the day before: what has ended is remembered there. Where no change
/// has a name, as after its key was evicted, one that was never given is.
const LOOK: &str = "
local change = redis.call('GET', KEYS[2])
if not change then
    change = ARGV[2]
    redis.call('SET', KEYS[2], change, 'EX', 172800)
end
local header, filter, life, lease = ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local today
local function ended(bits)
    if bits == '' then return false end
    today = today or math.floor(redis.call('TIME')[1] / 86400)
    for back = 0, 1 do
        local of_day, set = filter .. string.format('%d', today - back), true
        for at = 1, #bits, 4 do
            if redis.call('GETBIT', of_day, (struct.unpack('>I4', bits, at))) == 0 then set = false; break end
        end
        if set then return true end
    end
    return false
end
local found = {change}
for k = 3, #KEYS do
    local seen, known, bits = ARGV[3 * k - 2], ARGV[3 * k - 1], ARGV[3 * k]
    if seen == change then
        found[k - 1] = 4
    elseif known ~= '' and redis.call('GETRANGE', KEYS[k], 0, #header + #known - 1) == header .. known then
        found[k - 1] = ended(bits) and 2 or 3
    else
        local value = redis.call('GET', KEYS[k])
        local copy = value and string.sub(value, 1, 1) == 'C'
        if not value or (copy and string.sub(value, 1, #header) ~= header) then
            redis.call('SET', KEYS[k], lease .. ':' .. (k - 2), 'PX', life)
            found[k - 1] = 1
        elseif not copy or ended(bits) then
            found[k - 1] = 2
        else
            found[k - 1] = value
        end
    end
end
return found";

/// Keeps a value if the lease is still there: any change of the record takes it away.
const FILL: &str = "
if redis.call('GET', KEYS[2]) ~= ARGV[2] then return 0 end
redis.call('SET', KEYS[2], ARGV[3], 'PX', ARGV[4])
return 1";

/// Marks records as changed: copies and leases go, for a while nobody fills, and the last change has another name. Ended
/// sessions are remembered besides.
const BURY: &str = "
redis.call('SET', KEYS[2], ARGV[2], 'EX', 172800)
for i = 3, #KEYS do redis.call('SET', KEYS[i], '', 'PX', ARGV[3]) end
local bits = ARGV[5]
if bits ~= '' then
    local filter = ARGV[4] .. string.format('%d', math.floor(redis.call('TIME')[1] / 86400))
    for at = 1, #bits, 4 do redis.call('SETBIT', filter, (struct.unpack('>I4', bits, at)), 1) end
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
