-- What mod_lua puts before a script: `freeswitch`, and `event` where a hook runs it, or `argv` where `luarun` does.
-- Commands go to the test that runs this, and are answered by it, a line each way. Waiting takes no time.
--
--   lua5.4 freeswitch.lua SCRIPT [ARGUMENT...], with the event's headers in EVENT as NAME=VALUE;NAME=VALUE

io.stdout:setvbuf("no")

local function ask(line)
  io.write(line, "\n")
  return (io.read("l"):gsub("\\n", "\n"))
end

freeswitch = {
  API = function()
    return { executeString = function(_, command) return ask("api " .. command) end }
  end,
  consoleLog = function() end,
  msleep = function(milliseconds) ask("wait " .. milliseconds) end,
}

if arg[2] then
  argv = { [0] = arg[1], table.unpack(arg, 2) }
else
  local headers = {}
  for name, value in os.getenv("EVENT"):gmatch("([^=;]+)=([^;]*)") do headers[name] = value end
  event = { getHeader = function(_, name) return headers[name] end }
end

dofile(arg[1])
