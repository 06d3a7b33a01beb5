"""Many files on many processors: what is to be done, who does it, what is finished, and what it amounts to.

A job is a list of sources. A part is a video, or some photos, and becomes one Parquet file. A unit is what a worker
does in one go: a photo, a video, or a time range of one. `job` says what there is to do, `tasks` does it, `run` hands
it to an engine (`local`: processes; `ray_engine`: a Ray cluster), `folder` is what of it lies on disk, which alone
decides what is finished.
"""
