//! Announcements into a running RTP stream.
