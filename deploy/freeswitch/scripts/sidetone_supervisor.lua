-- Rings a supervisor when a caller grows upset, and lets them listen: 2 speaks to the caller, 1 to the agent, 3 to both,
-- 0 only listens again.
--
-- Runs for each event CUSTOM sidetone::affect, by the hook in autoload_configs/lua.conf.xml. `event` is that event.

local supervisor = "user/supervisor"

local kind = event:getHeader("Sidetone-Kind")
local alert = event:getHeader("Sidetone-Alert")
local uuid = event:getHeader("Sidetone-Channel-UUID")

if kind == "affect.alert" and uuid and (alert == "frustration" or alert == "distress") then
  local api = freeswitch.API()
  -- One supervisor a call, however often the caller grows upset.
  if api:executeString("uuid_getvar " .. uuid .. " sidetone_supervised") ~= "true" then
    api:executeString("uuid_setvar " .. uuid .. " sidetone_supervised true")
    freeswitch.consoleLog("NOTICE", "Sidetone: " .. alert .. " on " .. uuid .. ", ringing " .. supervisor .. "\n")
    local display = "origination_caller_id_name='Caller upset: " .. alert .. "'"
    api:executeString("bgapi originate {" .. display .. ",eavesdrop_enable_dtmf=true}" .. supervisor .. " &eavesdrop(" .. uuid .. ")")
  end
end
