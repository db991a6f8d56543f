-- check: what callers from outside may have got wrong. Each answers a true value for what is well-formed; the grammars are id.h's.
-- A name that breaks a line of a push or of a list would reach other people's programs, so nothing of a malformed call is stored.
local function valid_id(text)
  return #text <= 128 and text ~= '-' and string.find(text, '^[%w._~:-]+$')
end

local function valid_type(text)
  return #text <= 64 and string.find(text, '^[%w_.:-]+$')
end

local function valid_user(text)
  return #text <= 255 and not string.find(text, '%c')
end

-- A producer's name; those of the responders' own have a colon: they are made of Idempotency-Keys.
local function valid_producer(text)
  return #text <= 132 and string.find(text, '^[!-~]+$')
end

-- A whole number that a double holds, and no second way to write it.
local function valid_number(text)
  return #text <= 16 and string.find(text, '^%d+$') and tonumber(text) < 9007199254740992
end

local function valid_count(text)
  return valid_number(text) and not string.find(text, '^0')
end

-- The number of the first malformed argument, or nil. checks: by the argument's number.
local function malformed(checks)
  for i = 1, #ARGV do
    if checks[i] and not checks[i](ARGV[i]) then return i end
  end
end
