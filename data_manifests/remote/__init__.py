"""Read files of object stores and web servers.

:class:`data_manifests.remote.path.RemotePath` is a path of which every method that reads asks the store. Bytes come in
blocks, which are kept on a local disk in bounded space.
"""
