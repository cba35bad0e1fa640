# libsrtp at the other end of a pipe. Each line is a word and hexadecimal bytes; so is each answer, or "refused".
#   begin PROFILE KEY        protect BYTES    unprotect BYTES    protect_rtcp BYTES    unprotect_rtcp BYTES
import sys

import pylibsrtp

sessions = {}
for line in sys.stdin:
    word, *rest = line.split()
    if word == "begin":
        profile, key = getattr(pylibsrtp.Policy, "SRTP_PROFILE_" + rest[0]), bytes.fromhex(rest[1])
        for name, kind in (("in", pylibsrtp.Policy.SSRC_ANY_INBOUND), ("out", pylibsrtp.Policy.SSRC_ANY_OUTBOUND)):
            sessions[name] = pylibsrtp.Session(policy=pylibsrtp.Policy(key=key, ssrc_type=kind, srtp_profile=profile))
        print("begun", flush=True)
        continue
    session = sessions["out" if word.startswith("protect") else "in"]
    try:
        print(getattr(session, word)(bytes.fromhex(rest[0])).hex(), flush=True)
    except pylibsrtp.Error:
        print("refused", flush=True)
