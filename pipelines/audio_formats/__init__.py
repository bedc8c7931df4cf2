"""What each kind of audio file needs before soundfile, or FFmpeg, decodes it; see `reading`."""
