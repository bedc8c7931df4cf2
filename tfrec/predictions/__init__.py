"""What `predict` reads and writes: files and folders, and answers as text, JSON, CSV and subtitles."""
