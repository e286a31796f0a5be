"""`make client`: write the operations of the client and the command anew."""

from codegen.document import described
from codegen.files import make, write

if __name__ == "__main__":
    write(make(described()))
