-- Rings a supervisor when a caller grows upset, and lets them listen: 2 speaks to the caller, 1 to the agent, 3 to both,
-- 0 only listens again.
--
-- Runs for each event CUSTOM sidetone::affect, by the hook in autoload_configs/lua.conf.xml. `event` is that event. The
-- hook runs on FreeSWITCH's event thread and must not wait, so ringing is left to `luarun`, which runs this script again
-- on a thread of its own, with the channel and the alert as arguments.
--
-- `supervisor` has to exist in the directory; see README.md. One who does not answer is rung again while the caller is
-- still upset.

local supervisor = "user/supervisor"
-- How long one ring lasts, how long after it the next begins (both in seconds), and how many there are to an alert.
local ring, pause, most = 25, 15, 10
-- What the supervisor's telephone shows. No colon and no slash: mod_sofia drops what stands before one.
local shown = { frustration = "Caller is frustrated", distress = "Caller in distress" }

local api = freeswitch.API()

local function get(uuid, name)
  return api:executeString("uuid_getvar " .. uuid .. " " .. name)
end

-- "ringing", "answered" or "unanswered". One supervisor a call, however often the caller grows upset.
local function mark(uuid, value)
  api:executeString("uuid_setvar " .. uuid .. " sidetone_supervisor " .. value)
end

local function note(text)
  freeswitch.consoleLog("NOTICE", "Sidetone: " .. text .. "\n")
end

-- The alert that is up on the channel; nil once the caller has calmed, objected or gone.
local function alert_on(uuid)
  local alert = get(uuid, "SIDETONE_ALERT")
  return shown[alert] and alert
end

local function ring_until_answered(uuid, alert)
  for _ = 1, most do
    note(alert .. " on " .. uuid .. ", ringing " .. supervisor)
    local options = "{origination_caller_id_name='" .. shown[alert] .. "',originate_timeout=" .. ring
      .. ",eavesdrop_enable_dtmf=true}"
    local result = api:executeString("originate " .. options .. supervisor .. " &eavesdrop(" .. uuid .. ")")
    if result:sub(1, 3) == "+OK" then
      return mark(uuid, "answered")
    end
    note(supervisor .. " did not answer: " .. result:gsub("%s+$", ""))
    freeswitch.msleep(pause * 1000)
    alert = alert_on(uuid)
    if not alert then
      break
    end
  end
  -- The next alert rings again.
  mark(uuid, "unanswered")
end

if event then
  local uuid = event:getHeader("Sidetone-Channel-UUID")
  local alert = event:getHeader("Sidetone-Alert")
  -- Whoever reaches the event socket may post such an event: only an id can follow `luarun`.
  local known = uuid and uuid:match("^[%w-]+$") and shown[alert]
  if event:getHeader("Sidetone-Kind") == "affect.alert" and known then
    local state = get(uuid, "sidetone_supervisor")
    if state ~= "ringing" and state ~= "answered" then
      mark(uuid, "ringing")
      api:executeString("luarun sidetone_supervisor.lua " .. uuid .. " " .. alert)
    end
  end
elseif argv and argv[1] and shown[argv[2]] then
  ring_until_answered(argv[1], argv[2])
end
