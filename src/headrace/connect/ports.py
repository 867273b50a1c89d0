"""
Ports where something other than HTTP listens, and could take a request for commands of its own.

They are those that browsers refuse (fetch.spec.whatwg.org, "bad port"), and those on which data stores, queues and
remote desktops wait inside a network.
"""

_REFUSED_BY_BROWSERS = frozenset(
    {1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109, 110}
    | {111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531}
    | {532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060}
    | {5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080}
)

_INSIDE_A_NETWORK = frozenset(
    {88, 445, 464, 543, 544, 873, 1099, 1352, 1414, 3268, 3269, 3389, 4369, 5900}  # directories, shells, desktops
    | {1433, 1434, 1521, 2483, 2484, 3050, 3306, 5432, 6432, 9042, 26257, 28015, 33060}  # databases
    | {6379, 6380, 11211, 27017, 27018, 27019}  # stores of keys, values and documents
    | {1883, 2181, 5222, 5269, 5671, 5672, 8883, 9092, 61613, 61616}  # queues, and what coordinates them
)

FORBIDDEN_PORTS = _REFUSED_BY_BROWSERS | _INSIDE_A_NETWORK
