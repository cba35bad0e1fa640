"""What Whisper makes of the same sounds, and what it costs: lines as the example `recognise` prints them, for score.py.

    python whisper.py FOLDER FILE... > whisper.jsonl

FOLDER holds a Whisper model for CTranslate2 (model.bin, config.json, vocabulary and tokenizer.json), such as tiny.en or
base; int8, one thread, greedy. Files are whole utterances. Needs faster-whisper. Cost is the processor's time.
"""

import json
import os
import sys
import time

os.environ["OMP_NUM_THREADS"] = "1"

from faster_whisper import WhisperModel  # noqa: E402
from faster_whisper.audio import decode_audio  # noqa: E402


def main():
    model = WhisperModel(sys.argv[1], device="cpu", compute_type="int8", cpu_threads=1, local_files_only=True)
    for file in sys.argv[2:]:
        sound = decode_audio(file)
        begin = time.process_time()
        segments, _ = model.transcribe(sound, language="en", beam_size=1, temperature=0.0, condition_on_previous_text=False)
        text = " ".join(segment.text for segment in segments)
        spent = 1e3 * (time.process_time() - begin)
        print(json.dumps({"file": file, "seconds": len(sound) / 16000, "milliseconds": spent, "text": text, "doubt": None}), flush=True)


if __name__ == "__main__":
    main()
