//! Links to PBXs: what Sidetone hears, told to Asterisk and FreeSWITCH, and what they know, told to Sidetone.

#![forbid(unsafe_code)]
