"""Who is where inside the cluster's network namespace: fixed, because nobody else is in it."""

NODE = "172.30.0.1"
NODE_NETWORK = "172.30.0.0/24"
NODE_NAME = "node"
NODE_LINK = "node0"
SERVICES = "10.96.0.0/16"
API_SERVICE = "10.96.0.1"
PODS = "10.244.0.0/16"
API_PORT = 6443
KUBELET_PORT = 10250
ETCD_PORT = 2379
ETCD_PEER_PORT = 2380
REGISTRY = f"{NODE}:5000"
API_URL = f"https://{NODE}:{API_PORT}"
