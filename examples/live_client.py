"""Sends the camera, or a video, to `mien serve` and prints what it sees.

pip install websockets opencv-python-headless
python live_client.py [--server ws://127.0.0.1:8080] [--token TOKEN] [SOURCE]
"""

import argparse
import json

import cv2
from websockets.sync.client import connect

LONGEST = 640  # pixels; a larger picture takes longer to send and is seen no better


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", nargs="?", default="0", help="number of a camera, or a video")
    parser.add_argument("--server", default="ws://127.0.0.1:8080")
    parser.add_argument("--token")
    parser.add_argument("--task", default="emotion,gesture")
    asked = parser.parse_args()
    headers = {"Authorization": f"Bearer {asked.token}"} if asked.token else {}
    capture = cv2.VideoCapture(int(asked.source) if asked.source.isdecimal() else asked.source)
    with connect(f"{asked.server}/v1/live?task={asked.task}", additional_headers=headers) as socket:
        while True:
            is_read, image_bgr = capture.read()
            if not is_read:
                break
            scale = min(1.0, LONGEST / max(image_bgr.shape[:2]))
            small = cv2.resize(image_bgr, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            if not asked.source.isdecimal():  # a video has times of its own
                socket.send(json.dumps({"time_s": capture.get(cv2.CAP_PROP_POS_MSEC) / 1000}))
            socket.send(cv2.imencode(".jpg", small)[1].tobytes())
            answer = json.loads(socket.recv())
            if "problem" in answer:
                raise SystemExit(answer["problem"]["detail"])
            for event in answer["events"]:
                print(f"{event['time_s']:7.2f} s  {event['kind']:<6} {event['label']}")
            if answer["sentence"]:
                print(answer["sentence"]["text"])
    capture.release()


if __name__ == "__main__":
    main()
